// `weir snapshot compare`: which result rows say something else than a snapshot did.
import type { Command } from 'commander';

import { amount, snapshotName } from '../pipeline/setting-values.ts';
import { compareSnapshot } from '../postgres/compare-snapshot.ts';
import type { ComparedTable, Comparison } from '../postgres/compare-snapshot.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { grouped, plural, printJson, printLine, styled, tableOf, timeText } from './output.ts';
import { openProgressLine, progressBar } from './progress-line.ts';
import { SNAPSHOT_SETTINGS, snapshotJson } from './snapshot-text.ts';
import { withPool } from './with-servers.ts';

type Flags = { readonly examples: number; readonly json?: boolean };

/** Exit code 0: all rows are the same; 1: some are not; 2: it could not be found out. */
export function compareSnapshotCommand(): Command {
  const command = createCommand({
    name: 'compare',
    summary: 'count the result rows that differ from a snapshot, now or in another snapshot',
    more: 'Looks at windows and sessions that were closed on both sides, and at what their rows say, not at revisions: a late event or a reprocess shows as a difference only where it changed a result. Exit code 1 when anything differs.',
    examples: [
      ['weir snapshot compare before_upgrade', 'the snapshot with the live tables'],
      ['weir snapshot compare monday tuesday --examples 20', 'two snapshots, with more of the rows that differ'],
    ],
    settings: SNAPSHOT_SETTINGS,
  });
  return command
    .argument('<name>', 'the snapshot', parsedBy(snapshotName))
    .argument('[other]', 'another snapshot; the live tables when absent', parsedBy(snapshotName))
    .option('--examples <count>', 'differing rows of each table to show', parsedBy(amount(0, 1_000)), 3)
    .option('--json', 'print JSON')
    .action(async (name: string, other: string | undefined, { examples, json }: Flags) => {
      const { settings } = settingsOf(command);
      const progress = openProgressLine();
      const comparison = await withPool(settings, async (pool) => {
        return await compareSnapshot(pool, {
          schema: settings.schema,
          name,
          other: other ?? null,
          maxExamples: examples,
          onProgress: (done, of) => progress.show(progressBar('Comparing tables', done, of)),
        });
      }).finally(progress.clear);
      const differences = comparison.tables.reduce((sum, table) => sum + differencesIn(table), 0);
      if (json) printJson(comparisonJson(comparison, differences));
      else printComparison(comparison, differences);
      if (differences > 0) process.exitCode = 1;
    });
}

const differencesIn = ({ different, missing, added }: ComparedTable): number => different + missing + added;

const comparisonJson = ({ snapshot, other, throughMs, tables }: Comparison, differences: number) => ({
  snapshot: snapshotJson(snapshot),
  with: other === null ? 'live' : snapshotJson(other),
  through: throughMs === null ? null : new Date(throughMs).toISOString(),
  differences,
  tables,
});

function printComparison({ snapshot, other, throughMs, tables }: Comparison, differences: number): void {
  const left = `snapshot ${snapshot.name} (${timeText(snapshot.takenAtMs)})`;
  const right =
    other === null ? `schema ${snapshot.schema} now` : `snapshot ${other.name} (${timeText(other.takenAtMs)})`;
  printLine(`${left} and ${right}`);
  if (throughMs === null) {
    printLine('No window was closed on both sides: there is nothing to compare.');
    return;
  }
  const counts = ({ table, ...of }: ComparedTable): string[] => [
    table,
    ...[of.same, of.different, of.missing, of.added, of.unmatched].map(grouped),
  ];
  printLine();
  printLine(tableOf(['table', 'same', 'different', 'missing', 'added', 'not compared'], tables.map(counts)));
  for (const { table, examples } of tables.filter((one) => differencesIn(one) > 0)) {
    printLine();
    printLine(styled('bold', table));
    for (const example of examples) printLine(`  ${example}`);
  }
  printLine();
  printLine(`Compared: windows and sessions by ${timeText(throughMs)} that were closed on both sides.`);
  printLine(
    differences === 0
      ? styled('green', 'The same: every row says what it said.')
      : styled('red', `${plural(differences, 'row')} of results ${differences === 1 ? 'differs' : 'differ'}.`),
  );
}
