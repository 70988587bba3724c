// Sessions and funnels as the tables or a recount hold them, and as the reference does, in one plain form to compare.
import type { Queryable } from '../../postgres/pool.ts';
import type { Reference, ReferenceFunnelRow, ReferenceSession } from './session-reference.ts';
import { windowOf } from './session-reference.ts';

export type PlainRow = Readonly<Record<string, unknown>>;

const micros = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint::text`;
/** What a client of PostgreSQL gets for an amount: always two decimals. */
const money = (cents: bigint): string => `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;

/** Rows of `from`: a table with the columns of `sessions`, or a SELECT in brackets. */
export async function readSessionRows(db: Queryable, from: string): Promise<PlainRow[]> {
  const { rows } = await db.query<PlainRow>(
    `select user_id, ${micros('session_start')} as session_start, ${micros('session_end')} as session_end,
       ${micros('active_since')} as active_since, duration_seconds,
       events::int, pages::int, clicks::int, searches::int, cart_adds::int, orders::int,
       revenue::numeric(30, 2), cart_left::numeric(30, 2), device, location, entry_page, exit_page, first_referrer,
       converted, bounced, cut, funnels
     from ${from} as s order by user_id collate "C", s.session_start`,
  );
  return rows;
}

/** Open sessions of `from`: user, active_since, session_start and last_at. */
export async function readOpenRows(db: Queryable, from: string): Promise<PlainRow[]> {
  const { rows } = await db.query<PlainRow>(
    `select user_id, ${micros('active_since')} as active_since, ${micros('session_start')} as session_start,
       ${micros('last_at')} as last_at from ${from} as s order by user_id collate "C"`,
  );
  return rows;
}

export async function readFunnelRows(db: Queryable, from: string): Promise<PlainRow[]> {
  const { rows } = await db.query<PlainRow>(
    `select ${micros('window_start')} as window_start, ${micros('window_end')} as window_end, funnel, device, location, step,
       step_name, sessions::int, reached::int, conversion::numeric(7, 4), overall_conversion::numeric(7, 4), drop_off::int,
       median_seconds, p90_seconds, revenue::numeric(30, 2)
     from ${from} as f`,
  );
  return inOrder(rows);
}

export function plainSessions(sessions: readonly ReferenceSession[]): PlainRow[] {
  return sessions.map((session) => ({
    user_id: session.user,
    session_start: String(session.start),
    session_end: String(session.end),
    active_since: String(session.activeSince),
    duration_seconds: Number(session.end - session.start) / 1e6,
    events: session.counts.events,
    pages: session.counts.pages,
    clicks: session.counts.clicks,
    searches: session.counts.searches,
    cart_adds: session.counts.cartAdds,
    orders: session.counts.orders,
    revenue: money(session.revenue),
    cart_left: money(session.cartLeft),
    device: session.device,
    location: session.location,
    entry_page: session.entryPage,
    exit_page: session.exitPage,
    first_referrer: session.firstReferrer,
    converted: session.counts.orders > 0,
    bounced: session.bounced,
    cut: session.cut,
    funnels: Object.fromEntries(Object.entries(session.funnels).map(([name, times]) => [name, times.map(Number)])),
  }));
}

export function plainOpen(sessions: readonly ReferenceSession[]): PlainRow[] {
  return sessions.map(({ user, activeSince, start, end }) => ({
    user_id: user,
    active_since: String(activeSince),
    session_start: String(start),
    last_at: String(end),
  }));
}

export function plainFunnel(rows: readonly ReferenceFunnelRow[]): PlainRow[] {
  const share = (parts: bigint | null): string | null => (parts === null ? null : (Number(parts) / 10_000).toFixed(4));
  const seconds = (taken: bigint | null): number | null => (taken === null ? null : Number(taken) / 1e6);
  return inOrder(
    rows.map((row) => ({
      window_start: String(row.window),
      window_end: String(row.window + 600_000_000n),
      funnel: row.funnel,
      device: row.device,
      location: row.location,
      step: row.step,
      step_name: row.stepName,
      sessions: row.sessions,
      reached: row.reached,
      conversion: share(row.conversion),
      overall_conversion: share(row.overall),
      drop_off: row.dropOff,
      median_seconds: seconds(row.median),
      p90_seconds: seconds(row.p90),
      revenue: money(row.revenue),
    })),
  );
}

/** The windows of the funnels that may be written: over, and of none that is open. */
export function closedWindows(
  sessions: readonly ReferenceSession[],
  { rules, closedThrough }: Required<Pick<Reference, 'rules' | 'closedThrough'>>,
): ReadonlySet<bigint> {
  const closed = new Set(sessions.map(windowOf).filter((start) => start + 600_000_000n <= closedThrough));
  // Of those that were open when funnels were counted last, some have closed since: their users began another.
  const wasOpen = ({ user, start, end }: ReferenceSession): boolean =>
    end >= closedThrough - BigInt(rules.gapMs) * 1000n &&
    !sessions.some((next) => next.user === user && next.start > start && next.start < closedThrough);
  for (const session of sessions) if (wasOpen(session)) closed.delete(windowOf(session));
  return closed;
}

function inOrder(rows: readonly PlainRow[]): PlainRow[] {
  const key = ({ window_start: start, funnel, device, location, step }: PlainRow): string =>
    JSON.stringify([start, funnel, device, location, step]);
  const keys = new Map(rows.map((row) => [row, key(row)]));
  return rows.toSorted((one, other) => ((keys.get(one) ?? '') < (keys.get(other) ?? '') ? -1 : 1));
}
