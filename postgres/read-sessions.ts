// Sessions as people ask for them: the newest that closed, those still open, all of one user; and how many there are.
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { must } from '../pipeline/ensure.ts';
import { instant, interval, toMs } from './instant.ts';
import { LIVE_SESSIONS } from './live-views.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/**
 * One session. Money is a decimal string. `provisional`: it is open, and says what it was so far; `revision` is 0 then, or that
 * of the closed one which it took over. `funnels`: when each step was reached, epoch microseconds, of the funnels entered.
 */
export type Session = {
  readonly userId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly durationSeconds: number;
  readonly events: number;
  readonly pages: number;
  readonly clicks: number;
  readonly searches: number;
  readonly cartAdds: number;
  readonly orders: number;
  readonly revenue: string;
  readonly cartLeft: string;
  readonly device: string;
  readonly location: string;
  readonly entryPage: string | null;
  readonly exitPage: string | null;
  readonly firstReferrer: string | null;
  readonly converted: boolean;
  readonly bounced: boolean;
  readonly cut: boolean;
  readonly activeSinceMs: number;
  readonly funnels: Readonly<Record<string, readonly number[]>>;
  readonly revision: number;
  readonly closedAtMs: number | null;
  readonly provisional: boolean;
};

/** `of`: those that closed, those that are open, or both of one user. `sinceMs`: started then or later; null: ever. */
export type SessionSelection = {
  readonly of: 'closed' | 'open' | { readonly userId: string };
  readonly sinceMs: number | null;
  readonly limit: number;
};

const COLUMNS = `s.user_id as "userId", ${toMs('s.session_start')} as "startMs", ${toMs('s.session_end')} as "endMs",
  s.duration_seconds as "durationSeconds", s.events::float8, s.pages::float8, s.clicks::float8, s.searches::float8,
  s.cart_adds::float8 as "cartAdds", s.orders::float8, s.revenue, s.cart_left as "cartLeft", s.device, s.location,
  s.entry_page as "entryPage", s.exit_page as "exitPage", s.first_referrer as "firstReferrer", s.converted, s.bounced, s.cut,
  ${toMs('s.active_since')} as "activeSinceMs", s.funnels, s.revision, ${toMs('s.closed_at')} as "closedAtMs"`;

/** The selected sessions, the newest start first. */
export async function readSessions(db: Queryable, schema: string, selection: SessionSelection): Promise<Session[]> {
  const { rows } = await db.query<Session>(
    `select ${COLUMNS}, s.provisional from ${selectedSql(schema, selection)} s order by s.session_start desc, s.user_id`,
    typeof selection.of === 'string' ? [] : [selection.of.userId],
  );
  return rows;
}

/** A FROM item. What an open session was is folded for those alone that are asked for. */
function selectedSql(schema: string, { of, sinceMs, limit }: SessionSelection): string {
  const tables = quoteSchema(schema);
  const since = `session_start >= ${instant(sinceMs)}`;
  const newest = `order by session_start desc, user_id limit ${limit}`;
  if (of === 'closed') return `(select *, false as provisional from ${tables}.${SESSIONS} where ${since} ${newest})`;
  if (of !== 'open') return `(select * from ${tables}.${LIVE_SESSIONS} where user_id = $1 and ${since} ${newest})`;
  return `(select l.* from (select user_id from ${tables}.open_sessions where ${since} ${newest}) o
    cross join lateral (select * from ${tables}.${LIVE_SESSIONS} where provisional and user_id = o.user_id offset 0) l)`;
}

export type SessionCounts = { readonly closed: number; readonly open: number };

/**
 * How many sessions there are. Those closed are the ones that the windows of the funnel list, and those of windows still to be
 * written: so that asking every second does not count them all.
 */
export async function countSessions(db: Queryable, schema: string): Promise<SessionCounts> {
  const tables = quoteSchema(schema);
  const { rows } = await db.query<SessionCounts>(
    `select (
       (select coalesce(sum(w.events), 0) from ${tables}.windows w where w.aggregate = '${FUNNEL}'
          and not exists (select from ${tables}.pending_funnels p where p.window_start = w.window_start))
       + (select count(*) from ${tables}.pending_funnels p join ${tables}.${SESSIONS} s
            on s.session_start >= p.window_start and s.session_start < p.window_start + ${interval(FUNNEL_WINDOW.lengthMs)})
     )::float8 as closed, (select count(*) from ${tables}.open_sessions)::float8 as open`,
  );
  return must(rows[0], 'the row of a select without a table');
}
