// A short chaos run with a fixed seed: the most telling faults once each, on servers of its own, held to a golden run.
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { reportText } from './chaos-report.ts';
import { runChaos } from './chaos-run.ts';
import { faultsNamed } from './faults.ts';

const SEED = 20_261_123;

test('whatever is killed, frozen or cut off, results equal those of a run without faults', async () => {
  const logsTo = join(tmpdir(), `weir-chaos-logs-${SEED}-${Date.now()}`);
  const report = await runChaos({
    seed: SEED,
    // One round.
    minutes: 0,
    rate: 1_500,
    faults: faultsNamed([
      'worker SIGKILL',
      'worker SIGSTOP (zombie)',
      'PostgreSQL SIGKILL',
      'COMMIT reply lost',
      'Kafka SIGKILL',
      'Temporal SIGKILL',
    ]),
    report: (line) => process.stderr.write(`chaos: ${line}\n`),
    logsTo,
  });
  process.stderr.write(`${reportText(report)}\n`);
  expect(report.problems, `seed ${SEED}, logs in ${logsTo}`).toEqual([]);
}, 600_000);
