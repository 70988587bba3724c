// `weir down`: ends what `weir up` left running, in the same order as Ctrl-C does.
import type { Command } from 'commander';

import { createCommand, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { printLine } from './output.ts';
import { UP_NAME, hasEnded, liveProcess, signalProcess } from './process-record.ts';
import { takeDown } from './take-down.ts';

const UP_ENDS_WITHIN_MS = 120_000;

/** The command. */
export function downCommand(): Command {
  return createCommand({
    name: 'down',
    summary: 'end everything of this home in order: generator paused, workers drained, servers stopped',
    more: 'Data stays: `weir up` goes on where it stopped. Servers named by WEIR_KAFKA_BROKERS and the like are left alone.',
    examples: [['weir down', 'ends what `weir up --detach` left running']],
    settings: [
      'home',
      'topic',
      'schema',
      'kafkaBrokers',
      'postgresUrl',
      'temporalAddress',
      'temporalNamespace',
      'logLevel',
    ],
  }).action(async (_options: unknown, command: Command) => {
    const { settings } = settingsOf(command);
    const up = liveProcess(settings.home, UP_NAME);
    if (up !== null) {
      printLine(`\`weir up\` runs as process ${up.pid}; it is asked to end`);
      signalProcess(up, 'SIGTERM');
      if (!(await hasEnded(up, UP_ENDS_WITHIN_MS))) {
        throw new CliFailure(
          `Process ${up.pid} (\`weir up\`) has not ended within ${UP_ENDS_WITHIN_MS / 1000} s; look at its terminal, or kill it and try again.`,
        );
      }
    }
    await takeDown({ settings, report: printLine });
    printLine('Everything is down; `weir up` goes on from here.');
  });
}
