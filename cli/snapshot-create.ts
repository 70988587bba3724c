// `weir snapshot create`: keeps checkpoints and results as they are at one moment, beside live ingestion.
import type { Command } from 'commander';

import { snapshotName } from '../pipeline/setting-values.ts';
import { takeSnapshot } from '../postgres/take-snapshot.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { plural, printJson, printLine, timeText } from './output.ts';
import { openProgressLine } from './progress-line.ts';
import { SNAPSHOT_SETTINGS, copyBar, mibText, positionText, rowsOf, snapshotJson } from './snapshot-text.ts';
import { withPool } from './with-servers.ts';

/** Exit code 0: taken; 2: it could not be, and nothing of it is left. */
export function createSnapshotCommand(): Command {
  return createCommand({
    name: 'create',
    summary: 'keep checkpoints, windows, amendments and every result table as they are at one moment',
    more: 'Ingestion and closing go on meanwhile; the copy lies in a schema of its own and takes about as much room as those tables. Events, dead letters and late events are not copied. A name is lower-case letters, digits and "_".',
    examples: [
      ['weir snapshot create before_upgrade', 'before something that might change results'],
      ['weir snapshot create nightly --json', 'for a program: offsets, times, rows, bytes'],
    ],
    settings: SNAPSHOT_SETTINGS,
  })
    .argument('<name>', 'what to call it', parsedBy(snapshotName))
    .option('--json', 'print JSON')
    .action(async (name: string, { json }: { json?: boolean }, itself: Command) => {
      const { settings } = settingsOf(itself);
      const { schema } = settings;
      const progress = openProgressLine();
      const snapshot = await withPool(settings, async (pool) => {
        return await takeSnapshot(pool, { schema, name, onProgress: (copied) => progress.show(copyBar(copied)) });
      }).finally(progress.clear);
      if (json) {
        printJson(snapshotJson(snapshot));
        return;
      }
      printLine(`Snapshot ${name} of schema ${schema} is taken: ${positionText(snapshot)}.`);
      printLine(
        `It holds results through ${timeText(snapshot.writtenThroughMs)}: ${plural(rowsOf(snapshot), 'row')}, ${mibText(snapshot.bytes)} in schema ${snapshot.home}.`,
      );
    });
}
