// Logs of processes that start again and again take no more room than two files.
import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openLogFile } from '../../local/log-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function say(path: string, text: string): void {
  const log = openLogFile(path, 10);
  writeSync(log, text);
  closeSync(log);
}

test('a start goes on in the log that is there', () => {
  const path = join(folder, 'logs', 'worker-1.log');
  say(path, 'first\n');
  say(path, 'second\n');
  expect(readFileSync(path, 'utf8')).toBe('first\nsecond\n');
  expect(existsSync(`${path}.1`)).toBe(false);
});

test('a log that has grown large is put aside, and the one put aside before is gone', () => {
  const path = join(folder, 'logs', 'worker-1.log');
  for (const text of ['the first life\n', 'the second life\n', 'the third life\n']) say(path, text);
  expect(readFileSync(path, 'utf8')).toBe('the third life\n');
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('the second life\n');
});
