// `weir snapshot list`: the snapshots of a schema.
import type { Command } from 'commander';

import { readSnapshots } from '../postgres/snapshots.ts';
import { createCommand, settingsOf } from './command.ts';
import { grouped, printJson, printLine, tableOf, timeText } from './output.ts';
import { SNAPSHOT_SETTINGS, mibText, rowsOf, snapshotJson } from './snapshot-text.ts';
import { withPool } from './with-servers.ts';

/** The command. */
export function listSnapshotsCommand(): Command {
  return createCommand({
    name: 'list',
    summary: 'the snapshots of the schema, oldest first, and how much room each takes',
    examples: [['weir snapshot list --json', 'with offsets and rows of each']],
    settings: SNAPSHOT_SETTINGS,
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, itself: Command) => {
      const { settings } = settingsOf(itself);
      const snapshots = await withPool(settings, async (pool) => await readSnapshots(pool, settings.schema));
      if (json) {
        printJson({ schema: settings.schema, snapshots: snapshots.map(snapshotJson) });
        return;
      }
      if (snapshots.length === 0) {
        printLine(`Schema ${settings.schema} has no snapshots; \`weir snapshot create NAME\` takes one.`);
        return;
      }
      const rows = snapshots.map((one) => [
        one.name,
        timeText(one.takenAtMs),
        timeText(one.writtenThroughMs),
        grouped(rowsOf(one)),
        mibText(one.bytes),
        one.home,
      ]);
      printLine(tableOf(['name', 'taken', 'results through', 'rows', 'size', 'stored in'], rows));
    });
}
