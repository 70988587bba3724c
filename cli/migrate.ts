// `weir migrate`: brings the tables of a schema to the newest version.
import type { Command } from 'commander';

import { migrate } from '../postgres/migrate.ts';
import type { Promotion } from '../postgres/promotions.ts';
import { addressesOf } from './addresses.ts';
import { createCommand, settingsOf } from './command.ts';
import { plural, printJson, printLine } from './output.ts';

/** The command. */
export function migrateCommand(): Command {
  return createCommand({
    name: 'migrate',
    summary: 'bring the tables of the schema to the newest version; does nothing when they are',
    examples: [['weir migrate --schema orders', 'tables of a second pipeline']],
    settings: ['schema', 'home', 'postgresUrl', 'logLevel'],
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      const { schema } = settings;
      const { applied, version, promoted, notice } = await migrate({ url: addressesOf(settings).postgres.url, schema });
      if (json) printJson({ schema, applied, version, promoted, notice });
      else if (applied.length === 0) printLine(`Schema ${schema} is at version ${version} already.`);
      else printLine(`Schema ${schema} is at version ${version} now; applied ${applied.join(', ')}.`);
      if (!json) for (const each of promoted) printPromotion(each);
      if (!json && notice !== null) printLine(notice);
    });
}

/** Silent where no row had the field. */
function printPromotion({ field, column, promoted, kept }: Promotion): void {
  if (promoted + kept === 0) return;
  const left = kept === 0 ? '' : `; in ${plural(kept, 'row')} it does not fit and stays in extra`;
  printLine(`The field ${field} moved from extra into the column ${column} in ${plural(promoted, 'row')}${left}.`);
}
