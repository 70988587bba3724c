// `npm run bench:peers`: Weir beside Flink SQL, Spark Structured Streaming and Kafka Connect, on one topic, one after the other.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

import { CommanderError } from 'commander';
import type { Command } from 'commander';

import { addressesOf } from '../../cli/addresses.ts';
import { addSettingFlags, createCommand, parsedBy, settingsOf } from '../../cli/command.ts';
import { CliFailure, reportFailure } from '../../cli/failure.ts';
import { printLine, printProgress } from '../../cli/output.ts';
import { stackStatus } from '../../local/stack.ts';
import { amount, duration } from '../../pipeline/setting-values.ts';
import { listenForInterrupts } from '../../workers/interrupts.ts';
import { comparisonTable } from './comparison-table.ts';
import { compare } from './compare.ts';
import type { ComparisonLine } from './compare.ts';
import { peersFolder } from './install.ts';
import { JOBS, SYSTEMS } from './system.ts';
import type { JobName, SystemName } from './system.ts';

type Flags = {
  readonly events: number;
  readonly eventRate: number;
  readonly seed: number;
  readonly users: number;
  readonly systems: readonly SystemName[];
  readonly jobs: readonly JobName[];
  readonly liveRate: number;
  readonly liveSeconds: number;
  readonly cores: number;
  readonly heap?: number;
  readonly limit?: number;
  readonly out: string;
  readonly keep?: boolean;
  readonly installOnly?: boolean;
};

const USUAL_JOBS: readonly JobName[] = ['raw', 'results', 'live'];
const LIMIT_MS = 1_800_000;
/** How a shell counts a Ctrl-C. */
const INTERRUPTED = 130;

function command(): Command {
  const shape = createCommand({
    name: 'bench:peers',
    summary: 'compare Weir with Flink SQL, Spark Structured Streaming and Kafka Connect on this machine',
    more: [
      'The servers must run (weir stack start). Each system reads the same topic with the same work, one after the other, and is',
      'held against what the topic holds, event by event. One line of JSON a system and job goes to standard output and is added',
      'to a file, a table comes at the end. Systems are downloaded once, below ~/.cache/weir/peers.',
    ].join('\n'),
    examples: [
      ['npm run bench:peers -- --events 3000000', 'everything, on ten minutes of events'],
      [
        'npm run bench:peers -- --systems spark --jobs live',
        'one of it again; the table shows it among the earlier lines',
      ],
    ],
    settings: ['home', 'partitions', 'kafkaBrokers', 'postgresUrl', 'temporalAddress', 'temporalNamespace'],
  })
    .option('--events <number>', 'messages in the topic', parsedBy(amount(1, 1_000_000_000)), 1_000_000)
    .option('--event-rate <number>', 'events per second of event time', parsedBy(amount(1, 1_000_000)), 5000)
    .option('--seed <number>', 'seed of the events', parsedBy(amount(0, 2 ** 31)), 1)
    .option('--users <number>', 'users that the events are of', parsedBy(amount(1, 10_000_000)), 10_000)
    .option('--systems <name,...>', `which, in this order: ${SYSTEMS.join(', ')}`, parsedBy(someOf(SYSTEMS)), [
      ...SYSTEMS,
    ])
    .option('--jobs <name,...>', `which, in this order: ${JOBS.join(', ')}`, parsedBy(someOf(JOBS)), [...USUAL_JOBS])
    .option('--live-rate <number>', 'events per second of the job live', parsedBy(amount(1, 100_000)), 2000)
    .option('--live-seconds <number>', 'how long live is measured', parsedBy(amount(1, 86_400)), 60)
    .option('--cores <number>', 'parallelism of each peer', parsedBy(amount(1, 1024)), availableParallelism())
    .option('--heap <MiB>', 'heap of each JVM instead of what suits it', parsedBy(amount(256, 1_000_000)))
    .option('--limit <duration>', 'longest time for one job (default 30m)', parsedBy(duration('1s', '24h')))
    .option('--out <file>', 'where lines are added, and the table comes from', join(peersFolder(), 'results.jsonl'))
    .option('--keep', 'leave topics and schemas behind')
    .option('--install-only', 'download and build the systems, then end')
    .action(run);
  addSettingFlags(shape);
  return shape.exitOverride();
}

function someOf<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  return (text) =>
    text.split(',').map((given) => {
      const found = names.find((name) => name === given.trim());
      if (found === undefined) throw new Error(`"${given}" is none of ${names.join(', ')}`);
      return found;
    });
}

async function run(flags: Flags, shape: Command): Promise<void> {
  const { settings } = settingsOf(shape);
  const { installOnly = false, keep = false, heap, limit, out, ...rest } = flags;
  const status = installOnly ? null : await stackStatus(settings);
  const down = Object.entries(status?.servers ?? {}).filter(
    ([, { state }]) => !['running', 'elsewhere'].includes(state),
  );
  if (!installOnly && (status === null || down.length > 0)) {
    const which = status === null ? 'No server' : `Not ${down.map(([name]) => name).join(', ')}`;
    throw new CliFailure(`${which} answers in ${settings.home}: run \`weir stack start\`, or name servers that run.`);
  }
  const interrupts = listenForInterrupts();
  interrupts.onInsisting(() => process.exit(INTERRUPTED));
  const { partitions, temporalNamespace } = settings;
  const { events, eventRate, seed, users } = flags;
  try {
    await compare({
      ...rest,
      addresses: installOnly ? NOWHERE : addressesOf(settings),
      partitions,
      temporalNamespace,
      filling: { events, eventRate, seed, users },
      heapMiB: heap ?? null,
      limitMs: limit ?? LIMIT_MS,
      keep,
      installOnly,
      report: printProgress,
      onLine: (line) => record(out, line),
      signal: interrupts.signal,
    });
  } catch (thrown) {
    if (!interrupts.signal.aborted) throw thrown;
    printProgress('Interrupted: what was started is ended and cleared away; the lines so far stay.');
    process.exitCode = INTERRUPTED;
  }
  if (!installOnly) printTable(out, flags);
}

const NOWHERE = { kafka: { brokers: [] }, postgres: { url: '' }, temporal: { address: '', ui: null } };

function record(out: string, line: ComparisonLine): void {
  mkdirSync(dirname(out), { recursive: true });
  const text = JSON.stringify(line);
  appendFileSync(out, `${text}\n`);
  printLine(text);
  if (line.outcome.failed !== undefined) process.exitCode = 1;
}

/** The newest line of each system and job among those of the same events. */
function printTable(out: string, { events, eventRate, seed, users, cores }: Flags): void {
  if (!existsSync(out)) return;
  const newest = new Map<string, ComparisonLine>();
  for (const text of readFileSync(out, 'utf8').split('\n').filter(Boolean)) {
    const line: ComparisonLine = JSON.parse(text);
    const same = line.eventRate === eventRate && line.seed === seed && line.users === users && line.cores === cores;
    if (same && line.events === events) newest.set(`${line.job}/${line.system}`, line);
  }
  const place = ({ job, system }: ComparisonLine): number =>
    JOBS.indexOf(job) * SYSTEMS.length + SYSTEMS.indexOf(system);
  const lines = [...newest.values()].toSorted((a, b) => place(a) - place(b));
  printProgress(`\nThe newest line of each system and job for ${events} events in ${out}:`);
  printProgress(comparisonTable(lines));
}

try {
  await command().parseAsync(process.argv);
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) reportFailure(thrown);
  else if (thrown.exitCode !== 0) process.exitCode = 2;
}
// kafkajs and Temporal keep timers that would hold the process.
process.exit();
