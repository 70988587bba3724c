// One window of the funnels as people ask about it: its row, its sessions, what holds it open, and what amended it.
import { FUNNELS } from '../pipeline/funnel.ts';
import type { OpenSession, OpenSessions } from '../pipeline/open-sessions.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { must } from '../pipeline/ensure.ts';
import type { ClosedWindow } from './closed-windows.ts';
import { inSpans, instant, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { amendmentsOfWindow, closedWindow } from './window-history.ts';
import type { WindowAmendment } from './window-history.ts';

/** `sessions`: closed ones that started in it. `open`: null without one. `isPending`: it is to be written, or written again. */
export type FunnelWindow = {
  readonly closed: ClosedWindow | null;
  readonly amendments: readonly WindowAmendment[];
  readonly sessions: number;
  readonly open: OpenSessions | null;
  readonly isPending: boolean;
};

type Row = { sessions: number; open: number; is_pending: boolean };

/** What is known of the window that spans `span`. */
export async function readFunnelWindow(db: Queryable, schema: string, span: Span): Promise<FunnelWindow> {
  const tables = quoteSchema(schema);
  const ofWindow = { aggregate: FUNNEL, span };
  const { rows } = await db.query<Row>(
    `select (select count(*) from ${tables}.${SESSIONS} where ${inSpans('session_start', [span])})::float8 as sessions,
       (select count(*) from ${tables}.open_sessions where ${inSpans('session_start', [span])})::float8 as open,
       exists (select from ${tables}.pending_funnels where window_start = ${instant(span.startMs)}) as is_pending`,
  );
  const { sessions, open, is_pending: isPending } = must(rows[0], 'the row of a select without a table');
  const { rows: last } = await db.query<OpenSession>(
    `select user_id as "userId", ${toMs('session_start')} as "startMs", ${toMs('last_at')} as "lastAtMs",
       ${toMs('cut_at')} as "cutAtMs"
     from ${tables}.open_sessions where ${inSpans('session_start', [span])} order by last_at desc, user_id limit 1`,
  );
  return {
    closed: await closedWindow(db, schema, ofWindow),
    amendments: await amendmentsOfWindow(db, schema, { ...ofWindow, counted: SESSIONS_OF_ROW }),
    sessions,
    open: last[0] ? { count: open, last: last[0] } : null,
    isPending,
  };
}

/** Every session of a window is in one group of each funnel. */
const SESSIONS_OF_ROW = (row: string): string =>
  `case when ${row} ->> 'funnel' = '${FUNNELS[0]?.name ?? ''}' and ${row} ->> 'step' = '1' then (${row} ->> 'sessions')::numeric end`;
