// The `weir` command line: every command is mounted here, and what was typed wrong is said in our words.
import type { Command, CommanderError } from 'commander';

import { benchCommand } from './bench.ts';
import { addSettingFlags, createCommand } from './command.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { doctorCommand } from './doctor.ts';
import { downCommand } from './down.ts';
import { CliFailure } from './failure.ts';
import { funnelCommand } from './funnel.ts';
import { generatorCommand } from './generator.ts';
import { keepWorkersCommand } from './keep-workers.ts';
import { healthCommand } from './health.ts';
import { lateCommand } from './late.ts';
import { migrateCommand } from './migrate.ts';
import { partitionCommand } from './partition.ts';
import { pipelineCommand } from './pipeline.ts';
import { schemasCommand } from './schemas.ts';
import { snapshotCommand } from './snapshot.ts';
import { reprocessCommand } from './reprocess.ts';
import { sessionsCommand } from './sessions.ts';
import { stackCommand } from './stack.ts';
import { statusCommand } from './status.ts';
import { upCommand } from './up.ts';
import { verifyCommand } from './verify.ts';
import { windowsCommand } from './windows.ts';
import { workerCommand } from './worker.ts';

/** The whole command line, ready to parse. Never ends the process: it throws CliFailure, or CommanderError after help. */
export function createProgram(): Command {
  const weir = createCommand({
    name: 'weir',
    summary: 'exact, event-time windowed results of Kafka events in PostgreSQL',
    examples: [
      ['weir up', 'everything on this machine: servers, pipeline, demo events, live view'],
      ['weir status', 'how far it is'],
      ['weir verify', 'recount everything and compare'],
    ],
  });
  const commands = [
    upCommand(),
    downCommand(),
    stackCommand(),
    doctorCommand(),
    migrateCommand(),
    workerCommand(),
    keepWorkersCommand(),
    pipelineCommand(),
    partitionCommand(),
    statusCommand(),
    healthCommand(),
    windowsCommand(),
    sessionsCommand(),
    funnelCommand(),
    lateCommand(),
    deadLettersCommand(),
    reprocessCommand(),
    snapshotCommand(),
    generatorCommand(),
    schemasCommand(),
    verifyCommand(),
    benchCommand(),
  ];
  for (const command of commands) weir.addCommand(command);
  prepare(weir);
  return weir;
}

/** What commander found wrong with the words of the call: said in our way, with the help that would have avoided it. */
function usageFailure(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0 || error.code === 'commander.help') return error;
  const [what = '', hint = ''] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = hint === '' ? '' : ` ${hint.replace('(Did', '(did')}`;
  const sentence = `${what.replace(/\.$/, '')}${suggestion}; \`${pathOf(command)} --help\` shows what there is.`;
  return new CliFailure(sentence, { cause: error });
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

function prepare(command: Command): void {
  addSettingFlags(command);
  command
    .exitOverride((error) => {
      throw usageFailure(command, error);
    })
    .configureOutput({ outputError: () => {} })
    .showSuggestionAfterError(true);
  for (const each of command.commands) prepare(each);
}
