// `npm run fuzz`: spoilt messages through parser and encoder, each held to the plain rules; every n-th also into PostgreSQL.
// Ctrl-C ends it with the report of what was tried so far.
//   npm run fuzz -- --messages 10000000 --seed 7 [--json]     (WEIR_POSTGRES_URL=... for the sample that is stored)
import { parseArgs } from 'node:util';

import { environment } from '../cli/environment.ts';
import { printJson, printLine, printProgress } from '../cli/output.ts';
import type { Message } from '../pipeline/message.ts';
import type { ParseRules } from '../pipeline/parse-message.ts';
import { fuzz } from '../test/fuzz/fuzz-run.ts';
import type { FuzzReport } from '../test/fuzz/fuzz-run.ts';
import { storeSample } from '../test/fuzz/stored-sample.ts';

const STORED = 2_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    messages: { type: 'string', default: '1000000' },
    json: { type: 'boolean', default: false },
  },
});
const messages = Number(values.messages);
const sampleEvery = Math.max(1, Math.floor(messages / STORED));
const startedMs = performance.now();
const sample: { message: Message; rules: ParseRules }[] = [];
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
const report = await fuzz({
  seed: Number(values.seed),
  messages,
  stop: interrupt.signal,
  onProgress: (done, failures) => {
    const perSecond = Math.round((done / (performance.now() - startedMs)) * 1000);
    printProgress(`${done} of ${messages} messages, ${perSecond} a second, ${failures} failures`);
  },
  onPassed: (message, rules) => {
    if (message.offset % sampleEvery === 0) sample.push({ message, rules });
  },
});
const url = environment()['WEIR_POSTGRES_URL'];
const stored = url === undefined ? null : sample.length;
const complaints = url === undefined ? [] : await storeSample(url, sample);
if (values.json) printJson({ ...report, stored, complaints });
else printReport(report);
for (const complaint of complaints) printProgress(complaint);
process.exit(report.failures.length + complaints.length === 0 ? 0 : 1);

function printReport({
  seed,
  seconds,
  events,
  rejectedByReason,
  notReached,
  slowest,
  failures,
  ...ran
}: FuzzReport): void {
  printLine(`${ran.messages} messages of seed ${seed} in ${seconds.toFixed(0)} s: ${events} events, the rest refused:`);
  const reasons = Object.entries(rejectedByReason).toSorted(([, a], [, b]) => b - a);
  for (const [reason, count] of reasons) printLine(`  ${String(count).padStart(9)} ${reason}`);
  if (notReached.length > 0) printLine(`Reasons that none was refused for: ${notReached.join(', ')}.`);
  printLine(
    `Slowest verdict: ${slowest.milliseconds.toFixed(1)} ms for ${slowest.bytes} bytes (message ${slowest.number}).`,
  );
  printLine(stored === null ? 'Nothing was stored: WEIR_POSTGRES_URL is not set.' : `${stored} of them were stored.`);
  for (const failure of failures) {
    printLine(
      `Message ${failure.number}: ${failure.complaint}; add to test/corpus/regressions.ts, with the right verdict:`,
    );
    printLine(
      `  ['${failure.complaint.slice(0, 60)}', '', Buffer.from('${failure.valueBase64}', 'base64'), { timestampMs: ${failure.timestampMs} }],`,
    );
  }
}
