// `weir partition`: lists the partitions of a topic, pauses, resumes and rewinds single ones, lets them go on behind a lost range.
import type { Command } from 'commander';

import type { PartitionState } from '../workflows/commands.ts';
import { acceptGapCommand } from './accept-gap.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { printJson, printLine } from './output.ts';
import { rewindCommand } from './partition-rewind.ts';
import { readStatus } from './status-report.ts';
import { partitionTable, problemLines } from './status-text.ts';
import { partitionTarget } from './targets.ts';
import { amount } from '../pipeline/setting-values.ts';
import { withControl } from './with-servers.ts';

/** The group of commands. */
export function partitionCommand(): Command {
  return createCommand({
    name: 'partition',
    summary: 'list the partitions of a topic, pause, resume or rewind one, accept what it has lost',
    examples: [['weir partition pause 3', 'partition 3 rests, the others go on; windows wait for it']],
  })
    .addCommand(listCommand())
    .addCommand(verb('pause', 'let a partition commit the batch in hand and rest'))
    .addCommand(verb('resume', 'let a partition go on from its checkpoint'))
    .addCommand(rewindCommand())
    .addCommand(acceptGapCommand());
}

function listCommand(): Command {
  return createCommand({
    name: 'list',
    summary: 'every partition with its position, lag and counts; works without workers',
    examples: [['weir partition list', 'one line a partition']],
    settings: WHERE,
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      const { partitions } = await readStatus(settings);
      if (json) {
        printJson(partitions);
        return;
      }
      printLine(partitionTable(partitions));
      for (const line of problemLines(partitions)) printLine(`\n${line}`);
    });
}

function verb(name: 'pause' | 'resume', summary: string): Command {
  return createCommand({
    name,
    summary,
    examples: [[`weir partition ${name} 3`, `${name}s partition 3`]],
    settings: WHERE,
  })
    .argument('<partition>', 'number of the partition', parsedBy(amount(0, 1_000_000)))
    .option('--json', 'print the state as JSON')
    .action(async (partition: number, { json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        const target = partitionTarget(settings.topic, partition);
        const state = await control.update<PartitionState>(target, name, { withinMs: 35_000 });
        if (json) printJson(state);
        else printLine(`Partition ${state.partition} of topic ${state.topic} is ${state.phase}. ${state.message}`);
      });
    });
}
