import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { buildOnce } from '../../local/build-once.ts';
import { withFileLock } from '../../local/file-lock.ts';
import { temporaryHome } from './temporary-home.ts';

const home = temporaryHome();

test('of many at once one at a time holds the lock', async () => {
  const path = join(home.path, 'contended.lock');
  let inside = 0;
  let most = 0;
  const turns = Array.from({ length: 8 }, () =>
    withFileLock({ path }, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
    }),
  );
  await Promise.all(turns);
  expect(most).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test('a lock left by a dead process is taken over, by one of all who wait', async () => {
  const path = join(home.path, 'stale.lock');
  writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: 'before the last boot' }));
  let inside = 0;
  let most = 0;
  const turns = Array.from({ length: 4 }, () =>
    withFileLock({ path }, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
    }),
  );
  await Promise.all(turns);
  expect(most).toBe(1);
});

test('an unreadable lock is no lock', async () => {
  const path = join(home.path, 'garbage.lock');
  writeFileSync(path, '{"pid":');
  expect(await withFileLock({ path }, () => Promise.resolve('in'))).toBe('in');
});

test('the lock is free again after work that failed', async () => {
  const path = join(home.path, 'failed.lock');
  await expect(withFileLock({ path }, () => Promise.reject(new Error('broke')))).rejects.toThrow('broke');
  expect(existsSync(path)).toBe(false);
});

test('two builds at once make the folder once, and a failed one leaves nothing that looks finished', async () => {
  const folder = join(home.path, 'built');
  const build = { folder, what: 'Build', report: () => undefined };
  const failed = buildOnce(build, () => Promise.reject(new Error('no network')));
  await expect(failed).rejects.toThrow('no network');
  expect(existsSync(folder)).toBe(false);
  let made = 0;
  const make = async (unfinished: string): Promise<void> => {
    made += 1;
    await new Promise(setImmediate);
    writeFileSync(join(unfinished, 'part'), '');
  };
  await Promise.all([buildOnce(build, make), buildOnce(build, make)]);
  expect(made).toBe(1);
  expect(existsSync(join(folder, 'part'))).toBe(true);
});
