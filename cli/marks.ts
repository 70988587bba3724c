// Bars, sparklines and a scale out of characters of one column each: blocks, or plain ASCII where the terminal has no others.

/** The characters of a terminal. `levels`: lowest first. */
export type Marks = {
  readonly levels: string;
  readonly full: string;
  readonly empty: string;
  readonly line: string;
  readonly point: string;
};

export const BLOCKS: Marks = { levels: '▁▂▃▄▅▆▇█', full: '█', empty: '·', line: '─', point: '●' };
export const ASCII: Marks = { levels: '_.:-=+*#', full: '#', empty: '.', line: '-', point: 'o' };

/** Blocks where the locale says UTF-8, as POSIX orders its variables. */
export function marksFor(env: Readonly<Record<string, string | undefined>>): Marks {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return /utf-?8/i.test(locale) ? BLOCKS : ASCII;
}

/** The newest `columns` values, each as high as its share of the greatest; spaces in front where there are fewer. */
export function sparkline(values: readonly number[], columns: number, { levels }: Marks): string {
  const shown = values.slice(-columns);
  const most = Math.max(...shown, 0);
  const mark = (value: number): string => {
    const level = most === 0 ? 0 : Math.round((Math.max(0, value) / most) * (levels.length - 1));
    return levels[level] ?? '';
  };
  return shown.map(mark).join('').padStart(columns);
}

/** A bar of `columns` marks. Any share above nothing shows at least one full mark, and only a whole shows no empty one. */
export function lagBar(share: number, columns: number, { full, empty }: Marks): string {
  const bounded = Math.min(1, Math.max(0, share));
  const marks = bounded === 0 ? 0 : Math.max(1, Math.floor(bounded * columns));
  return full.repeat(marks) + empty.repeat(columns - marks);
}

/** A line of `columns` marks with a point on it where the share is. */
export function scale(share: number, columns: number, { line, point }: Marks): string {
  const at = Math.round(Math.min(1, Math.max(0, share)) * (columns - 1));
  return line.repeat(at) + point + line.repeat(Math.max(0, columns - 1 - at));
}
