// The benches at a steady rate: events are made and taken in at the same time.
import type { Command } from 'commander';

import { amount, duration } from '../pipeline/setting-values.ts';
import { listenForInterrupts } from '../workers/interrupts.ts';
import { BENCH_SETTINGS, amounts, benchOptions, printMeasured, shared } from './bench-line.ts';
import type { Shared } from './bench-line.ts';
import { createCommand, parsedBy } from './command.ts';

const A_RATE = amount(1, 1_000_000);

export function liveCommand(): Command {
  return shared(
    createCommand({
      name: 'live',
      summary: 'how long an event takes to be readable in PostgreSQL at a steady rate',
      examples: [['weir bench live --rate 5000 --seconds 60', 'a minute at 5,000 events a second, after a warm-up']],
      settings: BENCH_SETTINGS,
    }),
  )
    .option('--rate <number>', 'events per second', parsedBy(A_RATE), 5000)
    .option('--seconds <number>', 'how long to measure', parsedBy(amount(1, 86_400)), 60)
    .action(async (flags: Shared & { rate: number; seconds: number }, command: Command) => {
      const { benchLive } = await import('../bench/live.ts');
      await printMeasured(command, async () => await benchLive({ ...benchOptions(flags, command), ...flags }));
    });
}

export function latencyCommand(): Command {
  return shared(
    createCommand({
      name: 'latency',
      summary: 'how long until an event, and until a closed window, is readable in PostgreSQL, at several rates',
      more: [
        'Events first: from the time they were due to an independent reader. Then windows: from the moment at which the low',
        'watermark passes the end of a window to the moment at which its row is readable. Live, event time is real time: one',
        'minute boundary passes a minute, so 180 seconds measure three, whose windows become readable together, and high',
        'percentiles of windows are their maximum until there are a hundred.',
      ].join('\n'),
      examples: [['weir bench latency --rates 2000,10000', 'a minute of events and three of windows at each']],
      settings: BENCH_SETTINGS,
    }),
  )
    .option('--rates <number,...>', 'events per second, one after the other', amounts(1, 1_000_000), [2_000, 10_000])
    .option('--seconds <number>', 'how long to measure events', parsedBy(amount(1, 86_400)), 60)
    .option('--window-seconds <number>', 'how long to measure windows, after them', parsedBy(amount(1, 86_400)), 180)
    .action(async (flags: Shared & { rates: number[]; seconds: number; windowSeconds: number }, command: Command) => {
      const { benchLatency } = await import('../bench/latency.ts');
      await printMeasured(command, async () => await benchLatency({ ...flags, ...benchOptions(flags, command) }));
    });
}

export function memoryCommand(): Command {
  return shared(
    createCommand({
      name: 'memory',
      summary: 'what a worker holds in memory while it catches up, and then at a steady rate',
      more: [
        'Resident memory of one worker that goes through both: start, peak and end of each, and at the steady rate the slope in MiB an',
        'hour. Start and slope leave the first two minutes at that rate out, as long as there are more.',
      ].join('\n'),
      examples: [['weir bench memory --minutes 60', 'two million events, then an hour at 3,000 a second']],
      settings: BENCH_SETTINGS,
    }),
  )
    .option('--events <number>', 'messages to catch up with', parsedBy(amount(1, 1_000_000_000)), 2_000_000)
    .option('--event-rate <number>', 'their rate per second of event time', parsedBy(A_RATE), 5000)
    .option('--rate <number>', 'events per second afterwards', parsedBy(A_RATE), 3000)
    .option('--minutes <number>', 'how long at that rate', parsedBy(amount(1, 10_080)), 10)
    .action(
      async (
        flags: Shared & { events: number; eventRate: number; rate: number; minutes: number },
        command: Command,
      ) => {
        const { benchMemory } = await import('../bench/memory.ts');
        await printMeasured(command, async () => await benchMemory({ ...flags, ...benchOptions(flags, command) }));
      },
    );
}

export function generatorBenchCommand(): Command {
  return shared(
    createCommand({
      name: 'generator',
      summary: 'whether the generator keeps its rate over any minute, and what an event costs to make and to produce',
      examples: [['weir bench generator --seconds 180', 'three minutes each at 1, 100, 2,000 and 20,000 a second']],
      settings: BENCH_SETTINGS,
    }),
  )
    .option(
      '--rates <number,...>',
      'events per second, one after the other',
      amounts(1, 1_000_000),
      [1, 100, 2_000, 20_000],
    )
    .option('--seconds <number>', 'how long to measure each', parsedBy(amount(1, 86_400)), 120)
    .action(async (flags: Shared & { rates: number[]; seconds: number }, command: Command) => {
      const { benchGenerator } = await import('../bench/generator.ts');
      await printMeasured(command, async () => await benchGenerator({ ...benchOptions(flags, command), ...flags }));
    });
}

export function workersCommand(): Command {
  return shared(
    createCommand({
      name: 'workers',
      summary:
        'how leases lie on several workers, how long they stand still when one is killed, and when they are spread again',
      examples: [
        ['weir bench workers --workers 3 --rate 1000', 'three worker processes; the first is killed and started again'],
      ],
      settings: BENCH_SETTINGS,
    }),
  )
    .option('--workers <number>', 'worker processes', parsedBy(amount(1, 16)), 2)
    .option('--rate <number>', 'events per second', parsedBy(A_RATE), 1000)
    .action(async (flags: Shared & { workers: number; rate: number }, command: Command) => {
      const { benchWorkers } = await import('../bench/workers.ts');
      await printMeasured(command, async () => await benchWorkers({ ...benchOptions(flags, command), ...flags }));
    });
}

/** How a shell counts a Ctrl-C. */
const INTERRUPTED = 130;
const SAMPLE_EVERY_MS = 60_000;

export function soakCommand(): Command {
  return shared(
    createCommand({
      name: 'soak',
      summary: 'whether anything grows at a steady rate: lag, latency, memory, tables',
      more: [
        'Each sample is a line on standard error. Ctrl-C ends it early: what was measured is verified and printed. A second',
        'Ctrl-C does not wait for the verification.',
      ].join('\n'),
      examples: [['weir bench soak --rate 5000 --minutes 60', 'an hour at 5,000 events a second, a sample a minute']],
      settings: BENCH_SETTINGS,
    }),
  )
    .option('--rate <number>', 'events per second', parsedBy(A_RATE), 5000)
    .option('--minutes <number>', 'how long to measure', parsedBy(amount(1, 10_080)), 60)
    .option('--every <duration>', 'how often to take a sample (default 60s)', parsedBy(duration('1s', '1h')))
    .action(async (flags: Shared & { rate: number; minutes: number; every?: number }, command: Command) => {
      const { benchSoak } = await import('../bench/soak.ts');
      const impatient = new AbortController();
      const interrupts = listenForInterrupts();
      interrupts.onInsisting(() => impatient.abort());
      await printMeasured(
        command,
        async () =>
          await benchSoak({
            ...flags,
            ...benchOptions(flags, command),
            everyMs: flags.every ?? SAMPLE_EVERY_MS,
            signal: interrupts.signal,
            impatient: impatient.signal,
          }),
      );
      if (impatient.signal.aborted) process.exit(INTERRUPTED);
    });
}
