// What commands print: plain lines, one JSON document, or a table; colour only on a terminal.
import { styleText } from 'node:util';

import Table from 'cli-table3';

/** One line to standard output. */
export function printLine(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** One JSON document to standard output, for other programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** One line to standard error: what happens meanwhile, so that standard output stays clean. */
export function printProgress(line: string): void {
  process.stderr.write(`${line}\n`);
}

type Style = Parameters<typeof styleText>[0];

/** `text` in a style, where standard output is a terminal that shows it. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Rows under headings; numbers to the right. Cells are text already. */
export function tableOf(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = headings.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^-?[\d,.]*$/.test(row[column] ?? '')),
  );
  const table = new Table({
    head: headings.map((heading) => styled('bold', heading)),
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
    chars: PLAIN_BORDERS,
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

const PLAIN_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' ',
};

/** A whole number with thousands separators. */
export function grouped(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** A count with its noun: "1 event", "2,000 events". */
export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Epoch ms as ISO time to the second; "-" when null. */
export function timeText(ms: number | null): string {
  return ms === null ? '-' : `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
