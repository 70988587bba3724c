// `weir snapshot`: named savepoints of checkpoints and results: take one, list them, restore it beside the live schema,
// compare, drop.
import type { Command } from 'commander';

import { createCommand } from './command.ts';
import { compareSnapshotCommand } from './snapshot-compare.ts';
import { createSnapshotCommand } from './snapshot-create.ts';
import { dropSnapshotCommand } from './snapshot-drop.ts';
import { listSnapshotsCommand } from './snapshot-list.ts';
import { restoreSnapshotCommand } from './snapshot-restore.ts';

/** The group of commands. */
export function snapshotCommand(): Command {
  return createCommand({
    name: 'snapshot',
    summary: 'keep checkpoints and results as they are now under a name, and hold later ones against them',
    examples: [
      ['weir snapshot create before_upgrade', 'one moment of checkpoints and results, while events go on coming in'],
      ['weir snapshot compare before_upgrade', 'which result rows say something else by now'],
      ['weir snapshot restore before_upgrade --to before', 'its tables, to be queried beside the live ones'],
    ],
  })
    .addCommand(createSnapshotCommand())
    .addCommand(listSnapshotsCommand())
    .addCommand(compareSnapshotCommand())
    .addCommand(restoreSnapshotCommand())
    .addCommand(dropSnapshotCommand());
}
