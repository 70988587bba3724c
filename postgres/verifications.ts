// The table `verifications`: what each run of `weir verify` found, and when.
import type { Verification } from '../pipeline/check.ts';
import { must } from '../pipeline/ensure.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { UNDEFINED_TABLE, sqlState } from './sqlstate.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/** How a run ended: with a verification, clean or not, or with the sentence that says why it could not find out. */
type Outcome =
  | { readonly verification: Pick<Verification, 'clean' | 'differences' | 'checks'> }
  | { readonly problem: string };

/** One run of `weir verify`. `elapsedMs`: how long it took; `version`: of the Weir that ran it. */
export type VerificationRun = { readonly elapsedMs: number; readonly version: string; readonly outcome: Outcome };

/** Adds the run to the table, as one that ended just now; answers its id, a decimal string. */
export async function recordVerification(
  db: Queryable,
  { schema, topic }: Where,
  { elapsedMs, version, outcome }: VerificationRun,
): Promise<string> {
  const found = 'verification' in outcome ? outcome.verification : null;
  const checks = (found?.checks ?? []).map(({ name, expected, found: is, differences }) => ({
    name,
    expected,
    found: is,
    differences,
  }));
  const { rows } = await db.query<{ id: string }>(
    `insert into ${quoteSchema(schema)}.verifications
       (topic, started_at, finished_at, clean, differences, checks, version, problem)
     select $1, at - $2 * interval '1 millisecond', at, $3, $4, $5::jsonb, $6, $7 from clock_timestamp() as at
     returning id`,
    [
      topic,
      elapsedMs,
      found?.clean ?? null,
      found?.differences ?? null,
      JSON.stringify(checks),
      version,
      'problem' in outcome ? outcome.problem : null,
    ],
  );
  return must(rows[0], 'the verification that was inserted').id;
}

/** What the newest run that could find out has found. `atMs`: when it ended, PostgreSQL's clock. */
export type LastVerification = { readonly clean: boolean; readonly atMs: number };

/** Null before the first such run, and in a schema of an older version, which has no such table. */
export async function readLastVerification(db: Queryable, { schema, topic }: Where): Promise<LastVerification | null> {
  try {
    const { rows } = await db.query<LastVerification>(
      `select clean, ${toMs('finished_at')} as "atMs" from ${quoteSchema(schema)}.verifications
       where topic = $1 and clean is not null order by finished_at desc limit 1`,
      [topic],
    );
    return rows[0] ?? null;
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return null;
    throw error;
  }
}
