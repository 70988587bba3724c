// The rules by which the sessions of a topic were made last: kept with its clock, so that whoever recounts them needs no setting.
import { sessionRulesOf } from '../pipeline/session.ts';
import type { SessionRules, SessionSettings } from '../pipeline/session.ts';
import { escapeLiteral } from 'pg';
import { interval } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

type Where = { readonly schema: string; readonly topic: string };

/** The rules of the last close; before the first one what is given. */
export async function readSessionRules(db: Queryable, given: Where & SessionSettings): Promise<SessionRules> {
  const { rows } = await db.query<{ gap_ms: number | null; max_ms: number | null }>(
    `select (extract(epoch from session_gap) * 1000)::float8 as gap_ms, (extract(epoch from session_max) * 1000)::float8 as max_ms
     from ${quoteSchema(given.schema)}.closed_through where topic = $1`,
    [given.topic],
  );
  const otherwise = sessionRulesOf(given);
  return { gapMs: rows[0]?.gap_ms ?? otherwise.gapMs, maxMs: rows[0]?.max_ms ?? otherwise.maxMs };
}

/** Settings with the rules of the last close instead of their own. */
export async function withSessionRules<Given extends Where & SessionSettings>(
  db: Queryable,
  given: Given,
): Promise<Given> {
  const { gapMs, maxMs } = await readSessionRules(db, given);
  return { ...given, sessionGapMs: gapMs, sessionMaxMs: maxMs };
}

/** Statement that keeps them. */
export function keepSessionRulesSql({ schema, topic }: Where, { gapMs, maxMs }: SessionRules): string {
  return `update ${quoteSchema(schema)}.closed_through set session_gap = ${interval(gapMs)}, session_max = ${interval(maxMs)}
    where topic = ${escapeLiteral(topic)}`;
}
