// `weir bench`: measures this machine with a topic and a schema of its own; one line of JSON a run.
import type { Command } from 'commander';

import { catchupCommand, closeCommand, growthCommand, parseCommand } from './bench-history.ts';
import { withLineFlags } from './bench-line.ts';
import {
  generatorBenchCommand,
  latencyCommand,
  liveCommand,
  memoryCommand,
  soakCommand,
  workersCommand,
} from './bench-steady.ts';
import { createCommand } from './command.ts';

/** The group of commands. */
export function benchCommand(): Command {
  const bench = createCommand({
    name: 'bench',
    summary: 'measure this machine: events per second, latency, memory, CPU time of each part',
    more: [
      'The servers must run (weir stack start); only parse needs none. Every run has a topic, a schema, workers and task queues',
      'of its own, and what it ingests is verified. It prints one line of JSON; what happens meanwhile goes to standard error, and',
      'so do the ratios to a line that was kept (--compare). CPU time and memory are read from /proc (Linux).',
    ].join('\n'),
    examples: [
      ['weir bench catchup --events 1000000', 'a topic of a million events, ingested as fast as possible'],
      ['weir bench catchup --compare kept.json', 'the same, and how it compares with a line that was kept'],
    ],
  });
  const commands = [
    catchupCommand(),
    growthCommand(),
    liveCommand(),
    latencyCommand(),
    generatorBenchCommand(),
    closeCommand(),
    parseCommand(),
    memoryCommand(),
    workersCommand(),
    soakCommand(),
  ];
  for (const command of commands) bench.addCommand(withLineFlags(command));
  return bench;
}
