// Lines made of styled pieces, which can be cut to a width before any escape code is in them.

export type LineStyle = 'plain' | 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';

/** A piece of a line. The text holds characters of one column each and no escape codes. */
export type Piece = readonly [text: string, style: LineStyle];
export type Line = readonly Piece[];

/** Puts a style around a text, or leaves it out where the terminal has none. */
export type Paint = (style: Exclude<LineStyle, 'plain'>, text: string) => string;

export const plain = (text: string): Piece => [text, 'plain'];
export const dim = (text: string): Piece => [text, 'dim'];

/** The columns that a line takes. */
export function widthOf(line: Line): number {
  return line.reduce((sum, [text]) => sum + text.length, 0);
}

/** The line in at most so many columns; what was cut off shows as two dots. */
export function cut(line: Line, columns: number): Line {
  if (widthOf(line) <= columns) return line;
  const kept: Piece[] = [];
  let left = Math.max(0, columns - CUT.length);
  for (const [text, style] of line) {
    kept.push([text.slice(0, left), style]);
    left -= Math.min(left, text.length);
  }
  return [...kept, dim(CUT.slice(0, columns))];
}

const CUT = '..';

/** `left`, and `right` at the end of the line where there is room for both. */
export function spread(left: Line, right: Line, columns: number): Line {
  const gap = columns - widthOf(left) - widthOf(right);
  return gap < 1 ? left : [...left, plain(' '.repeat(gap)), ...right];
}

/** The line as text for the terminal. */
export function painted(line: Line, paint: Paint): string {
  return line.map(([text, style]) => (style === 'plain' || text === '' ? text : paint(style, text))).join('');
}
