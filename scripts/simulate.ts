// `npm run simulate`: an installation of any size on paper, from the figures in bench/results; see docs/scaling.md.
//   npm run simulate -- --rate 1000000 --partitions 1000 --topics 25 --workers 100 --shards 25 [--outage 60] [--json]
//   npm run simulate -- --compare          the model held to the measured figures
import { parseArgs } from 'node:util';

import { simulate } from '../bench/simulate.ts';
import type { Simulated } from '../bench/simulate.ts';
import { compare, fittedCosts } from '../bench/simulation/calibrate.ts';
import type { Comparison } from '../bench/simulation/calibrate.ts';
import { readMeasured } from '../bench/simulation/measured-costs.ts';
import { ASSUMPTIONS } from '../bench/simulation/plan.ts';
import type { Costs, Plan } from '../bench/simulation/plan.ts';
import { temporalLoad } from '../bench/simulation/temporal-load.ts';
import type { TemporalLoad } from '../bench/simulation/temporal-load.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { grouped, printJson, printLine, printProgress } from '../cli/output.ts';

const NUMBERS = {
  rate: 1_000_000,
  partitions: 1_000,
  topics: 25,
  workers: 100,
  shards: 25,
  'shard-cores': 8,
  seconds: 70,
  'warm-up': 10,
  lateness: 20,
  'least-turn-ms': 5,
  skew: 0.2,
  seed: 1,
  outage: 0,
  'kill-worker-at': 0,
} as const;

/** The exit code of a command that was called wrongly. */
const USAGE = 2;

type NumberName = keyof typeof NUMBERS;

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: 'string' as const }])),
    alone: { type: 'boolean', default: false },
    closing: { type: 'string', default: 'visits' },
    compare: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  const flags = Object.entries(NUMBERS).map(([name, value]) => `[--${name} ${value}]`);
  printLine(`npm run simulate -- ${flags.join(' ')} [--closing plain|shop|visits] [--alone] [--json]`);
  printLine('npm run simulate -- --compare [--json]: the model held to the measured figures');
  printLine(
    'Times are in seconds unless they say ms; an outage and a death of a worker begin after the warm-up, and 0 leaves them out. --alone: no batch shares a transaction.',
  );
  process.exit(0);
}
const measured = readMeasured();
try {
  if (values.compare) compareAll();
  else simulateOne();
} catch (error) {
  printProgress(messageOf(error));
  process.exitCode = USAGE;
}

function compareAll(): void {
  const comparisons = compare(measured);
  if (values.json) printJson(comparisons);
  else printComparisons(comparisons);
}

function simulateOne(): void {
  const { closing } = values;
  if (closing !== 'plain' && closing !== 'shop' && closing !== 'visits') {
    throw new Error(`--closing ${closing} is none of plain, shop and visits.`);
  }
  const plan = planOfFlags();
  const costs = fittedCosts(measured, closing);
  printProgress(`Simulating ${plan.warmUpSeconds + plan.seconds} s of ${grouped(plan.rate)} events/s`);
  const simulated = simulate(plan, costs);
  const temporal = temporalLoad({ ...plan, amends: true });
  if (values.json) printJson({ plan, costs, assumptions: ASSUMPTIONS, simulated, temporalPerHour: temporal });
  else printSimulated({ plan, costs, simulated, temporal });
}

function planOfFlags(): Plan {
  const outage = number('outage');
  const killAt = number('kill-worker-at');
  if (count('topics') > count('partitions')) throw new Error('Each topic needs a partition: lower --topics.');
  if (number('seconds') === 0 || number('rate') === 0) throw new Error('--seconds and --rate must be above 0.');
  return {
    rate: number('rate'),
    partitions: count('partitions'),
    topics: count('topics'),
    workers: count('workers'),
    shards: count('shards'),
    shardCores: count('shard-cores'),
    sharedCores: null,
    background: {},
    skew: number('skew'),
    seed: number('seed'),
    warmUpSeconds: number('warm-up'),
    seconds: number('seconds'),
    latenessSeconds: number('lateness'),
    leastTurnMs: number('least-turn-ms'),
    sharesCommits: !values.alone,
    history: null,
    closes: true,
    outage: outage > 0 ? { at: number('warm-up'), seconds: outage } : null,
    workerDiesAt: killAt > 0 ? number('warm-up') + killAt : null,
  };
}

function number(name: NumberName): number {
  const given: unknown = Object.entries(values).find(([key]) => key === name)?.[1];
  const value = typeof given === 'string' ? Number(given) : NUMBERS[name];
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Error(`--${name} ${String(given)} is no number that can be simulated.`);
}

function count(name: NumberName): number {
  const value = number(name);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} ${value} is no whole number above 0.`);
}

function printComparisons(comparisons: readonly Comparison[]): void {
  const { date, machine } = measured.plain;
  printLine(`Measured from ${date.slice(0, 10)} on, on ${machine.cores} cores of ${machine.cpu}.`);
  line(['', 'model', 'measured', 'off by']);
  for (const { what, unit, modelled, measured: actual, isFitted } of comparisons) {
    const off = isFitted ? 'fitted' : `${Math.round((modelled / actual - 1) * 100)} %`;
    line([`${what}, ${unit}`, rounded(modelled), rounded(actual), off]);
  }
}

type Report = { plan: Plan; costs: Costs; simulated: Simulated; temporal: TemporalLoad };

function printSimulated({ plan, costs, simulated: found, temporal }: Report): void {
  const { workers, postgres } = found.utilization;
  const { closes, lagMs, backlog, transactionsPerSecond: transactions } = found;
  const shares = (part: { mean: number; most: number }): string =>
    `${percent(part.mean)}, the busiest ${percent(part.most)}`;
  const cores = (part: string): string =>
    rounded(((found.microsecondsPerEvent[part] ?? 0) * found.eventsPerSecond) / 1e6);
  const perTopic = ((plan.rate / plan.topics) * costs.closePerEvent) / 1e6;
  const rows: [string, string][] = [
    ['events/s asked for', grouped(plan.rate)],
    ['events/s committed', grouped(Math.round(found.eventsPerSecond))],
    ['batches/s, events each', `${grouped(Math.round(found.batchesPerSecond))}, ${rounded(found.eventsPerBatch)}`],
    [
      'transactions/s, batches each',
      `${grouped(Math.round(transactions))}, ${rounded(found.batchesPerSecond / transactions)}`,
    ],
    ['lag p50, p99, max', `${rounded(lagMs.p50)}, ${rounded(lagMs.p99)}, ${rounded(lagMs.max)} ms`],
    [`${plan.workers} workers busy`, `${shares(workers)} (${cores('worker')} cores)`],
    [
      `${plan.shards} PostgreSQL of ${plan.shardCores} cores busy`,
      `${shares(postgres)} (commits ${cores('commits')}, closes ${cores('closes')} cores)`,
    ],
    [`closer of each of ${plan.topics} topics busy`, `${percent(perTopic)} of its one session`],
    ['a close holds commits up', `at most ${rounded(closes.longestHold * 1000)} ms`],
    ['results behind the watermark', `at most ${rounded(closes.longestBehind)} s`],
    ['left over at the end', `${grouped(backlog.events)} events, the oldest ${rounded(backlog.seconds)} s`],
    ['Temporal actions/s', rounded(temporal.actions / 3600)],
    ['Temporal writes of state/s', rounded(temporal.writes / 3600)],
    ['Temporal history events/s', rounded(temporal.history / 3600)],
  ];
  if (plan.outage !== null || plan.workerDiesAt !== null) {
    const after = found.caughtUpAfter;
    rows.push(['caught up after the fault', after === null ? 'not in this time' : `${rounded(after)} s`]);
  }
  for (const [name, value] of rows) printLine(`${name.padEnd(40)} ${value}`);
}

function line(cells: readonly string[]): void {
  printLine(cells.map((cell, nth) => (nth === 0 ? cell.padEnd(44) : cell.padStart(10))).join(' '));
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Three digits that say something, and no more. */
function rounded(value: number): string {
  return Math.abs(value) >= 100 ? grouped(Math.round(value)) : String(Number(value.toPrecision(3)));
}
