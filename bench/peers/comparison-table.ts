// The lines of a comparison as one table for people.
import { grouped, tableOf } from '../../cli/output.ts';
import type { ComparisonLine } from './compare.ts';
import type { ResultDiff } from './diff.ts';

const HEADINGS = [
  'system',
  'job',
  'events/s',
  'seconds',
  'CPU us/event',
  'of it PostgreSQL',
  'broker',
  'peak MiB',
].concat(['lost', 'doubled', 'rows wrong', 'unclosed', 'p50 ms', 'p99 ms']);

/** One row a line, in the order in which they came. */
export function comparisonTable(lines: readonly ComparisonLine[]): string {
  const failed = lines.filter(({ outcome }) => outcome.failed !== undefined);
  const rows = lines.filter(({ outcome }) => outcome.failed === undefined).map(rowOf);
  const sentences = failed.map(({ system, job, outcome }) => `${system} ${job}: ${outcome.failed}`);
  return [tableOf(HEADINGS, rows), ...sentences].join('\n');
}

function rowOf({ system, job, outcome }: ComparisonLine): string[] {
  const { usage, live, events, results, cpuMicrosecondsPerEvent: cpu = {} } = outcome;
  const all = Object.values(cpu).reduce<number>((sum, micros) => sum + (micros ?? 0), 0);
  const number = (value: number | null | undefined, digits = 0): string =>
    value === null || value === undefined ? '' : digits === 0 ? grouped(value) : value.toFixed(digits);
  return [
    system,
    job,
    number(live === undefined ? outcome.eventsPerSecond : live.rate),
    number(usage?.seconds, 1),
    number(all, 1),
    number(cpu['postgres'], 1),
    number(cpu['broker'], 1),
    number(usage?.peakMiB),
    number(live === undefined ? events?.lost : Math.max(0, live.produced - live.rows)),
    number(events?.doubled),
    results === undefined ? '' : number(sumOf(results, wrongRows)),
    results === undefined ? '' : number(sumOf(results, ({ unclosed }) => unclosed)),
    number(live?.p50Ms, 1),
    number(live?.p99Ms, 1),
  ];
}

/** Rows that are there, or should be, and are not as the topic says; windows left open are counted apart. */
function wrongRows({ expected, right, unclosed, foreign }: ResultDiff): number {
  return expected - right - unclosed + foreign;
}

function sumOf(results: Readonly<Record<string, ResultDiff>>, of: (diff: ResultDiff) => number): number {
  return Object.values(results).reduce((sum, diff) => sum + of(diff), 0);
}
