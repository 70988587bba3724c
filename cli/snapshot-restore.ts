// `weir snapshot restore`: makes a schema from a snapshot, to be queried beside the live one.
import type { Command } from 'commander';

import { schemaName, snapshotName } from '../pipeline/setting-values.ts';
import { restoreSnapshot } from '../postgres/restore-snapshot.ts';
import { addressesOf } from './addresses.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { plural, printJson, printLine } from './output.ts';
import { openProgressLine } from './progress-line.ts';
import { SNAPSHOT_SETTINGS, copyBar, snapshotJson } from './snapshot-text.ts';

type Flags = { readonly to: string; readonly json?: boolean };

/** Exit code 0: restored; 2: it could not be, and nothing of it is left. */
export function restoreSnapshotCommand(): Command {
  return createCommand({
    name: 'restore',
    summary: 'make a new schema from a snapshot, with all tables and views, beside the live one',
    more: 'The live schema is not touched, and a schema that exists is never written over. The new one is for reading: its events are not there, so it refuses pipelines, reprocessing and weir verify. `drop schema NEWSCHEMA cascade` removes it.',
    examples: [
      ['weir snapshot restore before_upgrade --to before', 'then: select * from before.event_counts'],
      ['weir windows --schema before', 'what the commands that read say of it'],
    ],
    settings: SNAPSHOT_SETTINGS,
  })
    .argument('<name>', 'the snapshot', parsedBy(snapshotName))
    .requiredOption('--to <schema>', 'the schema to make', parsedBy(schemaName))
    .option('--json', 'print JSON')
    .action(async (name: string, { to, json }: Flags, itself: Command) => {
      const { settings } = settingsOf(itself);
      const progress = openProgressLine();
      const { snapshot, rows, version } = await restoreSnapshot({
        url: addressesOf(settings).postgres.url,
        schema: settings.schema,
        name,
        to,
        onProgress: (copied) => progress.show(copyBar(copied)),
      }).finally(progress.clear);
      if (json) {
        printJson({ schema: to, version, rows, snapshot: snapshotJson(snapshot) });
        return;
      }
      const tables = `tables at version ${version}${version === snapshot.version ? '' : `, taken at version ${snapshot.version}`}`;
      printLine(`Snapshot ${name} is restored to schema ${to}: ${plural(rows, 'row')}, ${tables}.`);
      printLine(`It is for reading: select * from ${to}.event_counts; drop schema ${to} cascade removes it.`);
    });
}
