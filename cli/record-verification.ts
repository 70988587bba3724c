// Writes down what a run of `weir verify` found, where that is possible: the result counts with or without it.
import { messageOf } from '../pipeline/ensure.ts';
import type { Settings } from '../pipeline/settings.ts';
import { UNDEFINED_TABLE, sqlState } from '../postgres/sqlstate.ts';
import { recordVerification } from '../postgres/verifications.ts';
import type { VerificationRun } from '../postgres/verifications.ts';
import { weirVersion } from './weir-version.ts';
import { withPool } from './with-servers.ts';

/** Records the run; null when that went well, else one sentence that says why not and what to do. Never throws. */
export async function recordOutcome(settings: Settings, run: Omit<VerificationRun, 'version'>): Promise<string | null> {
  try {
    await withPool(settings, async (pool) => {
      await recordVerification(pool, settings, { ...run, version: weirVersion() });
    });
    return null;
  } catch (thrown) {
    return `This outcome could not be recorded in ${settings.schema}.verifications, so metrics and alerts keep to the one before: ${remedy(thrown, settings.schema)}`;
  }
}

function remedy(thrown: unknown, schema: string): string {
  const state = sqlState(thrown);
  if (state === UNDEFINED_TABLE)
    return `the schema is of an older version; \`weir migrate --schema ${schema}\` adds it.`;
  if (state === '42501') return 'the role may not write there; set WEIR_POSTGRES_URL to a login of weir_worker.';
  if (state === '25006') return 'PostgreSQL takes no writes (a standby, or default_transaction_read_only is on).';
  return `${messageOf(thrown)}.`;
}
