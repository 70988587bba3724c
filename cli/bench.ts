// `weir bench`: measures this machine with a topic and a schema of its own; one line of JSON a run.
import { Option } from 'commander';
import type { Command } from 'commander';

import { amount, duration } from '../pipeline/setting-values.ts';
import type { StackAddresses } from '../local/stack.ts';
import { addressesOf } from './addresses.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { listenForInterrupts } from '../workers/interrupts.ts';
import { printLine, printProgress } from './output.ts';

/** The group of commands. */
export function benchCommand(): Command {
  return createCommand({
    name: 'bench',
    summary: 'measure this machine: events per second, latency, CPU time of each part',
    more: [
      'The servers must run (weir stack start). Every run has a topic, a schema, workers and task queues of its own, and is',
      'verified. It prints one line of JSON; what happens meanwhile goes to standard error. CPU time is read from /proc (Linux).',
    ].join('\n'),
    examples: [['weir bench catchup --events 1000000', 'a topic of a million events, ingested as fast as possible']],
  })
    .addCommand(catchupCommand())
    .addCommand(liveCommand())
    .addCommand(generatorBenchCommand())
    .addCommand(closeCommand())
    .addCommand(workersCommand())
    .addCommand(soakCommand());
}

const SETTINGS = ['home', 'partitions', 'kafkaBrokers', 'postgresUrl', 'temporalAddress', 'temporalNamespace'] as const;

type Shared = { readonly seed: number; readonly users: number; readonly keep?: boolean };

function shared(command: Command): Command {
  return command
    .option('--seed <number>', 'seed of the events', parsedBy(amount(0, 2 ** 31)), 1)
    .option('--users <number>', 'users that the events are of', parsedBy(amount(1, 10_000_000)), 10_000)
    .option('--keep', 'leave topic and schema behind');
}

function catchupCommand(): Command {
  return shared(
    createCommand({
      name: 'catchup',
      summary: 'how fast a topic that was filled beforehand becomes events and results',
      examples: [['weir bench catchup --events 3000000 --seed 7', 'ten minutes of events at 5,000 a second']],
      settings: SETTINGS,
    }),
  )
    .option('--events <number>', 'messages in the topic', parsedBy(amount(1, 1_000_000_000)), 1_000_000)
    .option('--event-rate <number>', 'events per second of event time', parsedBy(amount(1, 1_000_000)), 5000)
    .addOption(
      new Option('--data <kind>', 'plain: each event drawn on its own; shop: the short visits of the generator')
        .choices(['plain', 'shop'])
        .default('plain'),
    )
    .addOption(new Option('--ids <version>', 'uuids of plain events').choices(['v4', 'v7']).default('v7'))
    .option('--in-order', 'nothing repeated, early, late or malformed', false)
    .option('--events-only', 'no window closes', false)
    .action(async (flags: CatchupFlags, command: Command) => {
      // Loaded here: no other command needs it.
      const { benchCatchup } = await import('../bench/catchup.ts');
      printLine(JSON.stringify(await benchCatchup({ ...flags, ...benchOptions(flags, command) })));
    });
}

type CatchupFlags = Shared & {
  readonly events: number;
  readonly eventRate: number;
  readonly data: 'plain' | 'shop';
  readonly ids: 'v4' | 'v7';
  readonly inOrder: boolean;
  readonly eventsOnly: boolean;
};

function liveCommand(): Command {
  return shared(
    createCommand({
      name: 'live',
      summary: 'how long an event takes to be readable in PostgreSQL at a steady rate',
      examples: [['weir bench live --rate 5000 --seconds 60', 'a minute at 5,000 events a second, after a warm-up']],
      settings: SETTINGS,
    }),
  )
    .option('--rate <number>', 'events per second', parsedBy(amount(1, 1_000_000)), 5000)
    .option('--seconds <number>', 'how long to measure', parsedBy(amount(1, 86_400)), 60)
    .action(async (flags: Shared & { rate: number; seconds: number }, command: Command) => {
      const { benchLive } = await import('../bench/live.ts');
      printLine(JSON.stringify(await benchLive({ ...benchOptions(flags, command), ...flags })));
    });
}

function generatorBenchCommand(): Command {
  const rates = parsedBy((text) => text.split(',').map(amount(1, 1_000_000)));
  return shared(
    createCommand({
      name: 'generator',
      summary: 'whether the generator keeps its rate over any minute, and what an event costs to make and to produce',
      examples: [['weir bench generator --seconds 180', 'three minutes each at 1, 100, 2,000 and 20,000 a second']],
      settings: SETTINGS,
    }),
  )
    .option('--rates <number,...>', 'events per second, one after the other', rates, [1, 100, 2_000, 20_000])
    .option('--seconds <number>', 'how long to measure each', parsedBy(amount(1, 86_400)), 120)
    .action(async (flags: Shared & { rates: number[]; seconds: number }, command: Command) => {
      const { benchGenerator } = await import('../bench/generator.ts');
      printLine(JSON.stringify(await benchGenerator({ ...benchOptions(flags, command), ...flags })));
    });
}

function closeCommand(): Command {
  const numbers = parsedBy((text) => text.split(',').map(amount(0, 10_000_000)));
  return createCommand({
    name: 'close',
    summary: 'what closing a pane costs, and how much of it sessions and funnels are, with many sessions open',
    examples: [['weir bench close --open 10000,100000', 'fifteen panes of 10,000 users each, twice']],
    settings: SETTINGS,
  })
    .option('--open <number,...>', 'sessions that are open, one run each', numbers, [10_000, 100_000, 1_000_000])
    .option('--active <number>', 'users who do something in a pane', parsedBy(amount(1, 1_000_000)), 10_000)
    .option('--events-per-user <number>', 'events of each of them in a pane', parsedBy(amount(1, 1_000)), 3)
    .option('--panes <number>', 'panes that are measured', parsedBy(amount(1, 1_000)), 45)
    .option('--keep', 'leave topic and schema behind')
    .action(async (flags: CloseFlags, command: Command) => {
      const { benchClose } = await import('../bench/close.ts');
      printLine(
        JSON.stringify(await benchClose({ ...benchOptions(flags, command), ...flags, keep: flags.keep ?? false })),
      );
    });
}

type CloseFlags = {
  readonly open: number[];
  readonly active: number;
  readonly eventsPerUser: number;
  readonly panes: number;
  readonly keep?: boolean;
};

function workersCommand(): Command {
  return shared(
    createCommand({
      name: 'workers',
      summary:
        'how leases lie on several workers, how long they stand still when one is killed, and when they are spread again',
      examples: [
        ['weir bench workers --workers 3 --rate 1000', 'three worker processes; the first is killed and started again'],
      ],
      settings: SETTINGS,
    }),
  )
    .option('--workers <number>', 'worker processes', parsedBy(amount(1, 16)), 2)
    .option('--rate <number>', 'events per second', parsedBy(amount(1, 1_000_000)), 1000)
    .action(async (flags: Shared & { workers: number; rate: number }, command: Command) => {
      const { benchWorkers } = await import('../bench/workers.ts');
      printLine(JSON.stringify(await benchWorkers({ ...benchOptions(flags, command), ...flags })));
    });
}

/** How a shell counts a Ctrl-C. */
const INTERRUPTED = 130;
const SAMPLE_EVERY_MS = 60_000;

function soakCommand(): Command {
  return shared(
    createCommand({
      name: 'soak',
      summary: 'whether anything grows at a steady rate: lag, latency, memory, tables',
      more: [
        'Each sample is a line on standard error. Ctrl-C ends it early: what was measured is verified and printed. A second',
        'Ctrl-C does not wait for the verification.',
      ].join('\n'),
      examples: [['weir bench soak --rate 5000 --minutes 60', 'an hour at 5,000 events a second, a sample a minute']],
      settings: SETTINGS,
    }),
  )
    .option('--rate <number>', 'events per second', parsedBy(amount(1, 1_000_000)), 5000)
    .option('--minutes <number>', 'how long to measure', parsedBy(amount(1, 10_080)), 60)
    .option('--every <duration>', 'how often to take a sample (default 60s)', parsedBy(duration('1s', '1h')))
    .action(async (flags: Shared & { rate: number; minutes: number; every?: number }, command: Command) => {
      const { benchSoak } = await import('../bench/soak.ts');
      const impatient = new AbortController();
      const interrupts = listenForInterrupts();
      interrupts.onInsisting(() => impatient.abort());
      const outcome = await benchSoak({
        ...flags,
        ...benchOptions(flags, command),
        everyMs: flags.every ?? SAMPLE_EVERY_MS,
        signal: interrupts.signal,
        impatient: impatient.signal,
      });
      printLine(JSON.stringify(outcome));
      if (impatient.signal.aborted) process.exit(INTERRUPTED);
    });
}

type Common = {
  readonly addresses: StackAddresses;
  readonly partitions: number;
  readonly temporalNamespace: string;
  readonly keep: boolean;
  readonly report: (line: string) => void;
};

function benchOptions({ keep }: Pick<Shared, 'keep'>, command: Command): Common {
  const { settings } = settingsOf(command);
  const { partitions, temporalNamespace } = settings;
  return {
    addresses: addressesOf(settings),
    partitions,
    temporalNamespace,
    keep: keep ?? false,
    report: printProgress,
  };
}
