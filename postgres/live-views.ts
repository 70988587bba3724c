// The views `live_sessions` and `live_funnel`: what is closed and, marked as provisional, what is still open. Their SQL comes
// from the declared funnels, so that they are made by every migration and not by a numbered file.
import { createHash } from 'node:crypto';

import { DatabaseError } from 'pg';
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { interval } from './instant.ts';
import { resultColumns } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';
import { funnelWindowOf } from './session-islands.ts';
import { SESSION_COLUMNS, SESSION_SELECT, sessionFold } from './session-rows.ts';
import { FUNNEL_TABLE, freshRows, stepCounts } from './settle-funnels.ts';
import { sqlState } from './sqlstate.ts';

/** An open session has the revision that it had as a closed one, 0 without one; so has a window whose rows are provisional. */
export const LIVE_SESSIONS = 'live_sessions';
const LIVE_FUNNEL = 'live_funnel';

/** Columns that `create or replace` can't change. */
const INVALID_TABLE_DEFINITION = '42P16';
const DEPENDENT_OBJECTS = '2BP01';

/**
 * Makes the views where they are missing or say something else than this build, in the transaction that the client is in. What
 * a view was made from stands in its comment, so that a call which changes nothing takes no lock. A migration that changes
 * the tables below a view has to drop it first.
 */
export async function createLiveViews(client: pg.ClientBase, schema: string): Promise<void> {
  const tables = quoteSchema(schema);
  const views = {
    [LIVE_SESSIONS]: liveSessions(schema, await columnTypes(client, `${tables}.${SESSIONS}`)),
    [LIVE_FUNNEL]: liveFunnel(schema, await columnTypes(client, `${tables}.${FUNNEL}`)),
  };
  const comments = Object.entries(views).map(([name, sql]) => [`${tables}.${name}`, commentOf(sql)] as const);
  const { rows } = await client.query<{ same: boolean }>(
    `select bool_and(obj_description(to_regclass(name), 'pg_class') is not distinct from comment) as same
     from unnest($1::text[], $2::text[]) as v (name, comment)`,
    [comments.map(([name]) => name), comments.map(([, comment]) => comment)],
  );
  if (rows[0]?.same) return;
  await client.query('savepoint live_views');
  try {
    await client.query(createSql(schema, views));
  } catch (error) {
    if (sqlState(error) !== INVALID_TABLE_DEFINITION) throw error;
    await client.query('rollback to savepoint live_views');
    await dropViews(client, tables);
    await client.query(createSql(schema, views));
  }
}

async function dropViews(client: pg.ClientBase, tables: string): Promise<void> {
  try {
    await client.query(`drop view ${tables}.${LIVE_FUNNEL}, ${tables}.${LIVE_SESSIONS}`);
  } catch (error) {
    if (sqlState(error) !== DEPENDENT_OBJECTS) throw error;
    const what = error instanceof DatabaseError && error.detail ? ` (${error.detail.replaceAll('\n', ', ')})` : '';
    throw new Error(
      `the columns of ${LIVE_SESSIONS} or ${LIVE_FUNNEL} have changed, and something of your own is made from them${what}: drop that, run \`weir migrate\`, and make it anew.`,
      { cause: error },
    );
  }
}

function createSql(schema: string, views: Readonly<Record<string, string>>): string {
  return Object.entries(views)
    .map(([name, sql]) => {
      const view = `${quoteSchema(schema)}.${name}`;
      return `create or replace view ${view} as ${sql}; comment on view ${view} is '${commentOf(sql)}'`;
    })
    .join('; ');
}

function commentOf(sql: string): string {
  return `Made by weir migrate; ${createHash('sha256').update(sql).digest('hex').slice(0, 16)}`;
}

type Types = ReadonlyMap<string, string>;

/** SQL type by column, so that what is provisional has the types of the table. */
async function columnTypes(client: pg.ClientBase, table: string): Promise<Types> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [table],
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

function typed(from: string, columns: readonly string[], types: Types): string {
  return columns.map((column) => `${from}.${column}::${must(types.get(column), `column ${column}`)}`).join(', ');
}

/** A restored schema has no facts, and so no open session here. */
function liveSessions(schema: string, types: Types): string {
  const tables = quoteSchema(schema);
  const open = `(select user_id, session_start, last_at as session_end, active_since, false as cut, revision
    from ${tables}.open_sessions)`;
  return `
    select ${SESSION_COLUMNS.join(', ')}, revision, closed_at, false as provisional from ${tables}.${SESSIONS}
    union all
    select ${typed('o', SESSION_COLUMNS, types)}, o.revision, null::timestamptz, true
    from (select ${SESSION_SELECT}, e.revision from ${sessionFold(schema, open)} where f.events is not null) o`;
}

/** A window that is to be written again has its provisional rows only. */
function liveFunnel(schema: string, types: Types): string {
  const tables = quoteSchema(schema);
  const columns = resultColumns(FUNNEL_TABLE);
  const length = interval(FUNNEL_WINDOW.lengthMs);
  return `
    with pending as materialized (
      select window_start from ${tables}.pending_funnels
      union
      select ${funnelWindowOf('session_start')} from ${tables}.open_sessions
    ),
    visits as materialized (
      select p.window_start, s.device, s.location, s.revenue, s.funnels
      from pending p cross join lateral (
        select * from ${tables}.${SESSIONS}
        where session_start >= p.window_start and session_start < p.window_start + ${length} offset 0
      ) s
      union all
      select ${funnelWindowOf('session_start')}, device, location, revenue, funnels
      from ${tables}.${LIVE_SESSIONS} where provisional
    ),
    ${stepCounts()},
    ${freshRows()}
    select ${columns.join(', ')}, revision, closed_at, false as provisional from ${tables}.${FUNNEL} f
    where not exists (select from pending p where p.window_start = f.window_start)
    union all
    select ${typed('r', columns, types)}, coalesce((
        select w.revision from ${tables}.windows w where w.aggregate = '${FUNNEL}' and w.window_start = r.window_start
      ), 0), null::timestamptz, true
    from fresh r`;
}
