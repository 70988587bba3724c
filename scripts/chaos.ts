// `npm run chaos`: the whole pipeline on servers of its own, struck by a seeded schedule of faults, held to a golden run.
//   npm run chaos -- --seed 7 --minutes 10 [--rate 3000] [--faults "worker SIGKILL,Kafka SIGKILL"] [--json]
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { printJson, printLine, printProgress } from '../cli/output.ts';
import { reportText } from '../test/chaos/chaos-report.ts';
import { runChaos } from '../test/chaos/chaos-run.ts';
import { FAULTS, faultsNamed } from '../test/chaos/faults.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '3000' },
    faults: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  printLine('npm run chaos -- [--seed N] [--minutes M] [--rate EVENTS_A_SECOND] [--faults "NAME,NAME"] [--json]');
  printLine(
    '--minutes 0 strikes once with each fault. Exit code 1: something differs, did not recover, or was never struck.',
  );
  printLine(`Faults: ${FAULTS.map(({ name }) => name).join(', ')}`);
  process.exit(0);
}
const seed = Number(values.seed);
const startedMs = Date.now();
const logsTo = join(tmpdir(), `weir-chaos-logs-${seed}-${startedMs}`);
const report = await runChaos({
  seed,
  minutes: Number(values.minutes),
  rate: Number(values.rate),
  faults: values.faults === undefined ? FAULTS : faultsNamed(values.faults.split(',')),
  report: (line) => printProgress(`${((Date.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${line}`),
  logsTo,
});
if (values.json) printJson(report);
else printLine(reportText(report));
if (report.problems.length > 0) printProgress(`The logs of servers and workers are in ${logsTo}.`);
process.exit(report.problems.length === 0 ? 0 : 1);
