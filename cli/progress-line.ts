// What happens meanwhile, on one line of standard error that is written over; nothing where nobody watches.
import { createLogUpdate } from 'log-update';

import { grouped } from './output.ts';

export type ProgressLine = { show: (line: string) => void; clear: () => void };

export function openProgressLine(): ProgressLine {
  if (!process.stderr.isTTY) return { show: () => {}, clear: () => {} };
  const line = createLogUpdate(process.stderr);
  return { show: line, clear: () => line.clear() };
}

const BAR_COLUMNS = 30;

/** `Discarding [##########....................] 33 % (1,000 of 3,000)` */
export function progressBar(what: string, done: number, total: number): string {
  return `${shareBar(what, done, total)} (${grouped(done)} of ${grouped(total)})`;
}

/** The same without the numbers, where they are nothing that people count. */
export function shareBar(what: string, done: number, total: number): string {
  const share = total <= 0 ? 1 : Math.min(1, done / total);
  const filled = Math.floor(share * BAR_COLUMNS);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)}`;
  return `${what} [${bar}] ${Math.floor(share * 100)} %`;
}
