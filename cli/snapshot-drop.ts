// `weir snapshot drop`: removes a snapshot for good.
import type { Command } from 'commander';

import { snapshotName } from '../pipeline/setting-values.ts';
import { dropSnapshot, readSnapshot } from '../postgres/snapshots.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { saysYes } from './consent.ts';
import { printJson, printLine, timeText } from './output.ts';
import { SNAPSHOT_SETTINGS, mibText, snapshotJson } from './snapshot-text.ts';
import { withPool } from './with-servers.ts';

type Flags = { readonly yes?: boolean; readonly json?: boolean };

/** Exit code 0: dropped; 1: the person said no; 2: it could not be done. */
export function dropSnapshotCommand(): Command {
  return createCommand({
    name: 'drop',
    summary: 'remove a snapshot for good; schemas that were restored from it stay',
    more: 'Asks first; without a terminal it needs --yes. Exit code 1 when the answer was no.',
    examples: [['weir snapshot drop before_upgrade --yes', 'without being asked']],
    settings: SNAPSHOT_SETTINGS,
  })
    .argument('<name>', 'the snapshot', parsedBy(snapshotName))
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action(async (name: string, { yes, json }: Flags, itself: Command) => {
      const { settings } = settingsOf(itself);
      const { schema } = settings;
      await withPool(settings, async (pool) => {
        const { takenAtMs, bytes } = await readSnapshot(pool, schema, name);
        const meant = `snapshot ${name} of schema ${schema}, taken at ${timeText(takenAtMs)} (${mibText(bytes)})`;
        const agreed = yes || (await saysYes(questionAbout(meant)));
        if (!agreed) {
          printLine('Nothing was dropped.');
          process.exitCode = 1;
          return;
        }
        const dropped = await dropSnapshot(pool, schema, name);
        if (json) printJson({ dropped: snapshotJson(dropped) });
        else printLine(`Dropped ${meant}.`);
      });
    });
}

const questionAbout = (meant: string): { question: string; unasked: string } => ({
  question: `Drop ${meant} for good?`,
  unasked: `This drops ${meant} for good and nobody can be asked here; add --yes to do it.`,
});
