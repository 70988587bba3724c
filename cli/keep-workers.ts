// `weir keep-workers`: looks after the workers of a home that nobody watches, as `weir up` does while it runs.
import type { Command } from 'commander';

import { addressesOf } from './addresses.ts';
import { createCommand, settingsOf } from './command.ts';
import { printLine } from './output.ts';
import { WorkerCrew } from './worker-crew.ts';

/** The command. */
export function keepWorkersCommand(): Command {
  return createCommand({
    name: 'keep-workers',
    summary: 'start workers of this home that have ended by themselves again, until it is asked to end',
    more: '`weir up --detach` runs it; the workers it has started go on when it ends, `weir down` ends both.',
    examples: [['weir keep-workers', 'two workers kept alive on servers that run, with WEIR_WORKERS=2']],
    settings: [
      'partitions',
      'workers',
      'home',
      'kafkaBrokers',
      'postgresUrl',
      'temporalAddress',
      'temporalNamespace',
      'metricsAddress',
      'temporalMetricsAddress',
      'logLevel',
    ],
  }).action(async (_options: unknown, command: Command) => {
    const { settings } = settingsOf(command);
    const report = (line: string): void => printLine(`${new Date().toISOString()} ${line}`);
    const crew = new WorkerCrew({ settings, addresses: addressesOf(settings), report });
    crew.start();
    crew.keepAlive();
    await new Promise((resolve) => {
      process.once('SIGTERM', resolve).once('SIGINT', resolve);
    });
    crew.leave();
  });
}
