// The log of a process of the stack: a file that it appends to, and one older file beside it.
import { mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const ROTATE_BYTES = 20_000_000;

/** Opens the log for a process that starts; one that has grown large becomes `<path>.1` first. Returns its descriptor. */
export function openLogFile(path: string, rotateBytes: number = ROTATE_BYTES): number {
  mkdirSync(dirname(path), { recursive: true });
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > rotateBytes) renameSync(path, `${path}.1`);
  return openSync(path, 'a');
}
