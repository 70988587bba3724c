// Closing sessions: the open ones that nothing can belong to any more become rows with revision 1, and the funnels whose
// sessions have all closed are counted. In a transaction behind that of the panes, so that windows need not wait for it.
import { escapeLiteral } from 'pg';
import type pg from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { SESSIONS, sessionRulesOf } from '../pipeline/session.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { WritePosition } from './closed-through.ts';
import { instant, interval } from './instant.ts';
import { runTogether } from './run-together.ts';
import type { Answer } from './run-together.ts';
import { quoteSchema } from './schema-name.ts';
import { isSilent } from './session-islands.ts';
import { SESSION_COLUMNS, SESSION_MEASURES, SESSION_SELECT, sessionFold } from './session-rows.ts';
import { pendingFunnelsSql, settleFunnelsSql } from './settle-funnels.ts';

/**
 * Closes every session that has ended by written_through, in the transaction in which the caller holds the clock, and answers
 * with `sessions` and the counts of the funnels. Whoever changes sessions of the past calls this first: what counts as open
 * is then the same for sessions as for panes.
 */
export async function closeSessions(
  client: pg.PoolClient,
  spec: PipelineSpec,
  { panesThroughMs, writtenThroughMs }: WritePosition,
): Promise<readonly Answer[]> {
  if (panesThroughMs === null || panesThroughMs === writtenThroughMs) return [];
  return await runTogether(client, closeSessionsSql(spec, panesThroughMs));
}

/** Statements of `closeSessions`, in order. */
export function closeSessionsSql(spec: PipelineSpec, throughMs: number): string[] {
  const { schema, topic } = spec;
  return [
    closeSilentSql(schema, throughMs, sessionRulesOf(spec)),
    ...settleFunnelsSql(schema, throughMs, 'late event'),
    `update ${quoteSchema(schema)}.closed_through set sessions_through = ${instant(throughMs)} where topic = ${escapeLiteral(topic)}`,
  ];
}

/**
 * Those whose time to look has come: they close, or are looked at later because their user went on meanwhile. Each by its place:
 * joined with them, PostgreSQL read all open sessions to find a few.
 */
function closeSilentSql(schema: string, throughMs: number, { gapMs }: SessionRules): string {
  const open = `${quoteSchema(schema)}.open_sessions`;
  const places = (which: string): string => `ctid = any (array(select open_at from due where ${which}))`;
  return `
    with due as materialized (
      select ctid as open_at, user_id, active_since, session_start, last_at, revision,
        ${isSilent('last_at', throughMs, gapMs)} as is_silent
      from ${open} where check_at < ${instant(throughMs)}
    ),
    ended as materialized (
      select user_id, active_since, session_start, last_at as session_end, revision, false as cut from due where is_silent
    ),
    looked_later as (update ${open} set check_at = last_at + ${interval(gapMs)} where ${places('not is_silent')}),
    gone as (delete from ${open} where ${places('is_silent')}),
    ${closedSessions(schema)},
    pending as (${pendingFunnelsSql(schema, 'select session_start from ended')})
    select count(*)::float8 as sessions from ended`;
}

/**
 * `closed`: the rows of `ended` as results. A row that is there already, which only a change of the rules or a hand can make so,
 * must not stop closing.
 */
export function closedSessions(schema: string): string {
  const sets = SESSION_MEASURES.map((column) => `${column} = excluded.${column}`);
  return `
    closed as (
      insert into ${quoteSchema(schema)}.${SESSIONS} as s (${SESSION_COLUMNS.join(', ')}, revision, closed_at)
      select ${SESSION_SELECT}, e.revision + 1, now() from ${sessionFold(schema, 'ended')}
      on conflict (user_id, session_start) do update
        set ${sets.join(', ')}, revision = greatest(s.revision + 1, excluded.revision), closed_at = excluded.closed_at
    )`;
}
