// The bundle of the workflows: made once per content, read ever after, and made in the worker itself where nothing can be kept.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';

import { bundleOfSources } from '../../workers/workflow-bundle.ts';

const NEVER = new AbortController().signal;

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bundles-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function listeningLog(): { log: pino.Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }), lines };
}

test('workers that start together make one bundle, and the next one reads it', async () => {
  const cache = freshFolder();
  const { log, lines } = listeningLog();
  const together = [0, 1].map(async () => await bundleOfSources({ log, signal: NEVER, cache }));
  const [first, second] = await Promise.all(together);
  const [made, ...others] = readdirSync(cache);
  const file = join(cache, String(made), 'bundle.js');
  const madeMs = statSync(file).mtimeMs;
  const third = await bundleOfSources({ log, signal: NEVER, cache });
  expect(others).toEqual([]);
  expect(first?.code).toContain('__TEMPORAL__');
  expect(second).toEqual(first);
  expect(third).toEqual(first);
  expect(statSync(file).mtimeMs).toBe(madeMs);
  expect(lines).toEqual([]);
}, 120_000);

test('where the folder cannot be written the worker bundles by itself, and says so', async () => {
  const inTheWay = join(freshFolder(), 'file');
  writeFileSync(inTheWay, '');
  const { log, lines } = listeningLog();
  const bundle = await bundleOfSources({ log, signal: NEVER, cache: join(inTheWay, 'workflows') });
  expect(bundle?.code).toContain('__TEMPORAL__');
  expect(lines[0]).toMatch(/could not be bundled into .*ENOTDIR.*bundles them itself.*can be written/);
}, 120_000);

test('a worker that is asked to end meanwhile leaves nothing unfinished behind', async () => {
  const cache = freshFolder();
  const stop = new AbortController();
  const bundling = bundleOfSources({ ...listeningLog(), signal: stop.signal, cache });
  stop.abort();
  expect(await bundling).toBeNull();
  expect(readdirSync(cache)).toEqual([]);
}, 60_000);
