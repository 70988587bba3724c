// The benches of a history: what was there beforehand is taken in, closed, or only parsed, as fast as possible.
import { Option } from 'commander';
import type { Command } from 'commander';

import { amount } from '../pipeline/setting-values.ts';
import { BENCH_SETTINGS, amounts, benchOptions, drawn, printMeasured, shared } from './bench-line.ts';
import type { Drawn, Shared } from './bench-line.ts';
import { createCommand, parsedBy } from './command.ts';
import { CliFailure } from './failure.ts';
import { printProgress } from './output.ts';

export function catchupCommand(): Command {
  return shared(
    createCommand({
      name: 'catchup',
      summary: 'how fast a topic that was filled beforehand becomes events and results',
      examples: [['weir bench catchup --events 3000000 --seed 7', 'ten minutes of events at 5,000 a second']],
      settings: BENCH_SETTINGS,
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
    .option('--workers <number>', 'worker processes', parsedBy(amount(1, 16)), 1)
    .option('--in-order', 'nothing repeated, early, late or malformed', false)
    .option('--events-only', 'no window closes', false)
    .action(async (flags: CatchupFlags, command: Command) => {
      // Loaded here: no other command needs it.
      const { benchCatchup } = await import('../bench/catchup.ts');
      await printMeasured(command, async () => await benchCatchup({ ...flags, ...benchOptions(flags, command) }));
    });
}

type CatchupFlags = Shared & {
  readonly events: number;
  readonly eventRate: number;
  readonly data: 'plain' | 'shop';
  readonly ids: 'v4' | 'v7';
  readonly workers: number;
  readonly inOrder: boolean;
  readonly eventsOnly: boolean;
};

export function growthCommand(): Command {
  return shared(
    createCommand({
      name: 'growth',
      summary: 'whether ingesting and closing slow down as the tables grow',
      more: [
        'The topic is filled step by step; the pipeline rests while a step is written, then takes it in and closes it. Steps are of',
        'plain events. What is ingested before the first step, so that every step closes as much as it brings, is not measured.',
        'By default it needs several GB on the disks of Kafka and PostgreSQL, and the verification at the end takes longer than all steps.',
      ].join('\n'),
      examples: [
        ['weir bench growth', 'ten steps of two million events'],
        ['weir bench growth --events 300000 --step 100000', 'three small steps'],
      ],
      settings: BENCH_SETTINGS,
    }),
  )
    .option('--events <number>', 'messages of all steps', parsedBy(amount(1, 1_000_000_000)), 20_000_000)
    .option('--step <number>', 'messages of each', parsedBy(amount(1, 1_000_000_000)), 2_000_000)
    .option('--panes <number>', 'minutes of event time that each step spans, and closes', parsedBy(amount(1, 1_000)), 7)
    .action(async (flags: Shared & { events: number; step: number; panes: number }, command: Command) => {
      if (flags.events % flags.step !== 0) {
        throw new CliFailure(
          `${flags.events} events are no whole number of steps of ${flags.step}; change --events or --step.`,
        );
      }
      const { benchGrowth } = await import('../bench/growth.ts');
      await printMeasured(command, async () => await benchGrowth({ ...flags, ...benchOptions(flags, command) }));
    });
}

export function closeCommand(): Command {
  return createCommand({
    name: 'close',
    summary: 'what closing a pane costs, and how much of it sessions and funnels are, with many sessions open',
    examples: [['weir bench close --open 10000,100000', '45 panes of 10,000 users each, twice']],
    settings: BENCH_SETTINGS,
  })
    .option(
      '--open <number,...>',
      'sessions that are open, one run each',
      amounts(0, 10_000_000),
      [10_000, 100_000, 1_000_000],
    )
    .option('--active <number>', 'users who do something in a pane', parsedBy(amount(1, 1_000_000)), 10_000)
    .option('--events-per-user <number>', 'events of each of them in a pane', parsedBy(amount(1, 1_000)), 3)
    .option('--panes <number>', 'panes that are measured', parsedBy(amount(1, 1_000)), 45)
    .option('--keep', 'leave topic and schema behind')
    .action(async (flags: CloseFlags, command: Command) => {
      const { benchClose } = await import('../bench/close.ts');
      await printMeasured(
        command,
        async () => await benchClose({ ...benchOptions(flags, command), ...flags, keep: flags.keep ?? false }),
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

export function parseCommand(): Command {
  return drawn(
    createCommand({
      name: 'parse',
      summary: 'CPU time of decoding records, judging messages and encoding rows, an event; needs no servers',
      examples: [['weir bench parse --rounds 21', 'medians of 21 rounds']],
    }),
  )
    .option('--events <number>', 'plain events of a round', parsedBy(amount(1, 10_000_000)), 100_000)
    .option('--rounds <number>', 'rounds that are measured', parsedBy(amount(1, 10_000)), 11)
    .action(async (flags: Drawn & { events: number; rounds: number }, command: Command) => {
      const { benchParse } = await import('../bench/parse.ts');
      await printMeasured(command, async () => await benchParse({ ...flags, report: printProgress }));
    });
}
