// `weir migrate`: brings the tables of a schema to the newest version.
import type { Command } from 'commander';

import { stackAddresses } from '../local/stack.ts';
import { messageOf } from '../pipeline/ensure.ts';
import type { Settings } from '../pipeline/settings.ts';
import { migrate } from '../postgres/migrate.ts';
import type { Promotion } from '../postgres/promotions.ts';
import { addressesOf } from './addresses.ts';
import { createCommand, settingsOf } from './command.ts';
import { plural, printJson, printLine, printProgress } from './output.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import { openControl } from './temporal-control.ts';

/** The command. */
export function migrateCommand(): Command {
  return createCommand({
    name: 'migrate',
    summary: 'bring the tables of the schema to the newest version; does nothing when they are',
    more: 'Where a Temporal is known, it also gets the search attributes by which the Web UI finds workflows.',
    examples: [['weir migrate --schema orders', 'tables of a second pipeline']],
    settings: ['schema', 'home', 'postgresUrl', 'temporalAddress', 'temporalNamespace', 'logLevel'],
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
      await registerWhereTemporalIs(settings);
    });
}

/** Tables need no Temporal: that one cannot be asked, or does not permit it, is said and no failure. */
async function registerWhereTemporalIs(settings: Settings): Promise<void> {
  const address = settings.temporalAddress ?? stackAddresses(settings.home)?.temporal.address;
  if (address === undefined) return;
  try {
    const control = await openControl({ address, namespace: settings.temporalNamespace });
    const note = await ensureSearchAttributes(control.client);
    await control.close();
    if (note !== null) printProgress(note);
  } catch (thrown) {
    printProgress(`The search attributes of the workflows are not registered: ${messageOf(thrown)}`);
  }
}

/** Silent where no row had the field. */
function printPromotion({ field, column, promoted, kept }: Promotion): void {
  if (promoted + kept === 0) return;
  const left = kept === 0 ? '' : `; in ${plural(kept, 'row')} it does not fit and stays in extra`;
  printLine(`The field ${field} moved from extra into the column ${column} in ${plural(promoted, 'row')}${left}.`);
}
