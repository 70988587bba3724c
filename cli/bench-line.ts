// What the subcommands of `weir bench` share: their settings, what their events are drawn from, and how their lines are printed.
import { readFile } from 'node:fs/promises';

import { Option } from 'commander';
import type { Command } from 'commander';

import { compareLines, comparisonText, readBenchLine } from '../bench/compare-lines.ts';
import type { BenchLine } from '../bench/compare-lines.ts';
import type { StackAddresses } from '../local/stack.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { amount } from '../pipeline/setting-values.ts';
import { addressesOf } from './addresses.ts';
import { parsedBy, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { printLine, printProgress } from './output.ts';

export const BENCH_SETTINGS = [
  'home',
  'partitions',
  'kafkaBrokers',
  'postgresUrl',
  'temporalAddress',
  'temporalNamespace',
] as const;

/** What events are drawn from. */
export type Drawn = { readonly seed: number; readonly users: number };
export type Shared = Drawn & { readonly keep?: boolean };

/** Adds the flags of every bench that draws events. */
export function drawn(command: Command): Command {
  return command
    .option('--seed <number>', 'seed of the events', parsedBy(amount(0, 2 ** 31)), 1)
    .option('--users <number>', 'users that the events are of', parsedBy(amount(1, 10_000_000)), 10_000);
}

/** And those of one that runs a pipeline on them. */
export function shared(command: Command): Command {
  return drawn(command).option('--keep', 'leave topic and schema behind');
}

/** Several whole numbers, with commas between them. */
export function amounts(least: number, most: number): (text: string) => number[] {
  return parsedBy((text) => text.split(',').map(amount(least, most)));
}

export type Common = {
  readonly addresses: StackAddresses;
  readonly partitions: number;
  readonly temporalNamespace: string;
  readonly keep: boolean;
  readonly report: (line: string) => void;
};

/** What every bench that runs a pipeline needs to know. */
export function benchOptions({ keep }: Pick<Shared, 'keep'>, command: Command): Common {
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

/** Adds what every subcommand takes about its line. */
export function withLineFlags(command: Command): Command {
  return command
    .option('--compare <file>', 'a kept line of this command; the ratio of each figure to it goes to standard error')
    .addOption(new Option('--json', 'changes nothing: what is printed is JSON already'));
}

/** Measures and prints the line. A file to compare with that is none is refused before anything is measured. */
export async function printMeasured(command: Command, measure: () => Promise<BenchLine>): Promise<void> {
  const { compare: file } = command.opts<{ compare?: string }>();
  const baseline = file === undefined ? null : { file, line: await readBaseline(file, command.name()) };
  const line = await measure();
  printLine(JSON.stringify(line));
  if (baseline !== null) printProgress(comparisonText(compareLines(baseline.line, line), baseline.file));
}

async function readBaseline(file: string, bench: string): Promise<BenchLine> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliFailure(
      `${file} cannot be read: ${messageOf(cause)}; name a file that keeps a line of \`weir bench ${bench}\`.`,
      {
        cause,
      },
    );
  });
  try {
    return readBenchLine(text, { file, bench });
  } catch (cause) {
    throw new CliFailure(messageOf(cause), { cause });
  }
}
