// Compares the line of a bench with one that was kept: figure by figure, and what was different about the two runs.

/** One figure that both lines have. `ratio`: now divided by then; null where then it was 0, or one of the two is below it. */
export type ComparedFigure = {
  readonly name: string;
  readonly baseline: number;
  readonly now: number;
  readonly ratio: number | null;
  /** Which direction is good; null: neither, or not known. */
  readonly better: 'higher' | 'lower' | null;
};

/** Something that both were told or ran on, and that was not the same. */
export type Difference = { readonly name: string; readonly baseline: string; readonly now: string };

export type Comparison = { readonly differences: readonly Difference[]; readonly figures: readonly ComparedFigure[] };

/** What a bench prints, as far as a comparison must know it. */
export type BenchLine = { readonly bench: string };

type Leaf = number | string | boolean;

/** Neither figures nor circumstances: the run's own name and time, what is about correctness, and series. */
const LEFT_OUT = new Set(['bench', 'date', 'verify', 'problem', 'samples', 'series', 'passes']);
/** Members at the top of a line that say what was asked for, or what it ran on. */
const GIVEN = new Set(
  (
    'machine versions postgresSettings partitions seed users events eventRate data ids inOrder eventsOnly rate minutes step ' +
    'panes rounds workers activeUsers windowSeconds eventsPerPane warmUpEvents'
  ).split(' '),
);
/** What tells the elements of a list apart, whatever their order; else their place does. */
const KEYS = new Set(['rate', 'target', 'nth', 'openSessions']);

/** By the last words of a figure's name; the first that fits decides. */
const DIRECTIONS: readonly (readonly [RegExp, ComparedFigure['better']])[] = [
  [/(^|\.)(events|windows|boundaries|count|resolution|spreadPercent|bytesPerEvent|rowBytesPerEvent)$/, null],
  [/(^|\.)(committedPerSecond|eventsPerSecond(\.\w+)?)$/, 'higher'],
  [/(^|\.)\w*(Ms\w*|Microseconds\w*|MiB\w*|Mib|Percent|[Bb]ytes)(\.\w+)*$/, 'lower'],
  [/(^|\.)(seconds\.(ingested|closed)|secondsUntil\w+|lag\w*(\.\w+)?|unread|deadRows\w*)$/, 'lower'],
];

/** Compares all numbers that both lines have under the same name. Lists are matched by what their elements are of. */
export function compareLines(baseline: BenchLine, now: BenchLine): Comparison {
  const [then, today] = [leavesOf(baseline), leavesOf(now)];
  const differences: Difference[] = [];
  const figures: ComparedFigure[] = [];
  for (const [name, value] of today) {
    const before = then.get(name);
    if (before === undefined) continue;
    if (GIVEN.has(name.split('.')[0] ?? name)) {
      if (before !== value) differences.push({ name, baseline: String(before), now: String(value) });
    } else if (typeof before === 'number' && typeof value === 'number' && !KEYS.has(name.split('.').at(-1) ?? '')) {
      figures.push({ name, baseline: before, now: value, ratio: ratioOf(value, before), better: directionOf(name) });
    }
  }
  return { differences, figures };
}

function ratioOf(now: number, baseline: number): number | null {
  return baseline > 0 && now >= 0 ? Number((now / baseline).toPrecision(3)) : null;
}

function directionOf(name: string): ComparedFigure['better'] {
  return DIRECTIONS.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** Every number, text and truth of a line by its name: "rates[2000].eventMs.p50". */
function leavesOf(line: BenchLine): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  const walk = (value: unknown, name: string): void => {
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') leaves.set(name, value);
    else if (Array.isArray(value)) {
      for (const [at, element] of value.entries()) walk(element, `${name}[${keyOf(element) ?? at}]`);
    } else if (typeof value === 'object' && value !== null) {
      for (const [member, inner] of Object.entries(value)) {
        if (!LEFT_OUT.has(member)) walk(inner, name === '' ? member : `${name}.${member}`);
      }
    }
  };
  walk(line, '');
  return leaves;
}

function keyOf(element: unknown): number | null {
  if (typeof element !== 'object' || element === null) return null;
  const found = Object.entries(element).find(([member, value]) => KEYS.has(member) && typeof value === 'number');
  return found === undefined ? null : Number(found[1]);
}

/**
 * The line of `weir bench <bench>` in a kept file: its whole text, or its last line where there are several. Throws one sentence,
 * with `file` as its name, when it is none or one of another bench.
 */
export function readBenchLine(text: string, { file, bench }: { file: string; bench: string }): BenchLine {
  const line = parsed(text) ?? parsed(text.trim().split('\n').at(-1) ?? '');
  if (!isBenchLine(line)) {
    throw new Error(
      `${file} does not hold a line that weir bench printed; \`weir bench ${bench} > FILE\` keeps one to compare with.`,
    );
  }
  if (line.bench !== bench) {
    throw new Error(
      `${file} holds a line of \`weir bench ${line.bench}\`, which has other figures; compare with a line of \`weir bench ${bench}\`.`,
    );
  }
  return line;
}

function isBenchLine(value: unknown): value is BenchLine {
  return typeof value === 'object' && value !== null && 'bench' in value && typeof value.bench === 'string';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** For people: what was different, then a table of figures. */
export function comparisonText({ differences, figures }: Comparison, file: string): string {
  const rows = figures.map(({ name, baseline, now, ratio, better }) => [
    name,
    String(baseline),
    String(now),
    ratio === null ? '-' : String(ratio),
    better ?? '-',
  ]);
  const table = [['figure', 'baseline', 'now', 'now/baseline', 'better is'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return [
    figures.length > 0 ? `Compared with ${file}:` : `${file} has no figure in common with this run.`,
    ...differences.map(({ name, baseline, now }) => `  not the same: ${name} was ${baseline}, is ${now}`),
    ...(figures.length > 0 ? table : []).map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    ),
  ].join('\n');
}
