// Workers that have ended are named, with who starts them again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { KEEPER_NAME, recordProcess, workerName } from '../../cli/process-record.ts';
import { workersReadiness } from '../../cli/worker-readiness.ts';
import { must } from '../../pipeline/ensure.ts';

let home: string;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'weir-readiness-'));
  const worker = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(worker, 'spawn');
  recordProcess(home, workerName(1), must(worker.pid, 'the process id of a worker'));
  worker.kill('SIGKILL');
  await once(worker, 'exit');
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

test('a worker that has ended while nobody looks after it is named, with the command that brings it back', async () => {
  const [worker] = await workersReadiness(home);
  expect(worker).toMatchObject({ name: 'worker-1', ready: false });
  expect(worker?.reasons.join(' ')).toMatch(/has ended by itself.*nobody starts it again.*weir up --detach/);
});

test('a worker that has ended beside its keeper is said to come back', async () => {
  recordProcess(home, KEEPER_NAME, process.pid);
  const [worker] = await workersReadiness(home);
  expect(worker?.reasons.join(' ')).toMatch(/started again in a moment/);
});
