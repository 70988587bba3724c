// Late events as people ask for them: how late, from where, and into which windows they were taken, or why into none.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { windowsOf } from '../pipeline/window.ts';
import { instant, toMs } from './instant.ts';
import { sessionsTakenInto } from './late-sessions.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/** waiting: the next amendment takes it in. applied: its windows hold it. beyond-horizon: listed, and left out of the results. */
const LATE_STATES = ['waiting', 'applied', 'beyond-horizon'] as const;
export type LateState = (typeof LATE_STATES)[number];

/** Late events of one state, or of all (null), that came since a time (epoch ms, null: ever). */
export type LateSelection = { readonly state: LateState | null; readonly sinceMs: number | null };

/** A row that an amendment gave a next revision because of late events: its window, of a session its start. */
export type TakenInto = { readonly aggregate: string; readonly startMs: number; readonly revision: number };

/** `lateByMs`: how far its time lay behind closed_through when it was committed. `takenInto`: see `TakenInto`; empty unless applied. */
export type LateEvent = {
  readonly eventId: string;
  readonly occurredAtMs: number;
  readonly eventType: string | null;
  readonly partition: number;
  readonly offset: string;
  readonly lateByMs: number;
  readonly recordedAtMs: number;
  readonly state: LateState;
  readonly appliedAtMs: number | null;
  readonly takenInto: readonly TakenInto[];
};

const STATE_SQL = `case when l.beyond_horizon then 'beyond-horizon' when l.applied_at is null then 'waiting' else 'applied' end`;

const CONDITIONS: Record<LateState, string> = {
  waiting: 'l.applied_at is null and not l.beyond_horizon',
  applied: 'l.applied_at is not null',
  'beyond-horizon': 'l.beyond_horizon',
};

function whereSql({ state, sinceMs }: LateSelection): string {
  const conditions = [
    ...(state === null ? [] : [CONDITIONS[state]]),
    ...(sinceMs === null ? [] : [`l.recorded_at >= ${instant(sinceMs)}`]),
  ];
  return conditions.length === 0 ? 'true' : conditions.join(' and ');
}

type LateRow = {
  event_id: string;
  occurred_ms: number;
  /** With its microseconds. */
  occurred_text: string;
  event_type: string | null;
  user_id: string | null;
  partition: number;
  offset: string;
  late_by_ms: number;
  recorded_ms: number;
  state: LateState;
  applied_ms: number | null;
  /** With its microseconds: what an amendment of the same transaction has as its own time. */
  applied_text: string | null;
};

/** The last ones that came, newest first. */
export async function readLateEvents(
  db: Queryable,
  schema: string,
  { limit, ...selection }: LateSelection & { readonly limit: number },
): Promise<LateEvent[]> {
  const tables = quoteSchema(schema);
  const { rows } = await db.query<LateRow>(
    `select l.event_id::text as event_id, ${toMs('l.occurred_at')} as occurred_ms,
       l.occurred_at::text as occurred_text, e.event_type, e.user_id, l.kafka_partition as partition,
       l.kafka_offset::text as "offset", ${toMs('l.closed_through - l.occurred_at')} as late_by_ms,
       ${toMs('l.recorded_at')} as recorded_ms, ${STATE_SQL} as state, ${toMs('l.applied_at')} as applied_ms,
       l.applied_at::text as applied_text
     from (
       select * from ${tables}.late_events l where ${whereSql(selection)}
       order by l.recorded_at desc, l.occurred_at desc, l.event_id limit ${limit}
     ) l left join lateral (
       select event_type, user_id from ${tables}.events e where e.occurred_at = l.occurred_at and e.event_id = l.event_id
     ) e on true
     order by l.recorded_at desc, l.occurred_at desc, l.event_id`,
  );
  const amended = await amendedWindows(db, schema, rows);
  const sessions = await sessionsTakenInto(
    db,
    schema,
    rows.map((row) => ({ userId: row.user_id, occurredAt: row.occurred_text, appliedAt: row.applied_text })),
  );
  return rows.map((row, index) => ({
    eventId: row.event_id,
    occurredAtMs: row.occurred_ms,
    eventType: row.event_type,
    partition: row.partition,
    offset: row.offset,
    lateByMs: row.late_by_ms,
    recordedAtMs: row.recorded_ms,
    state: row.state,
    appliedAtMs: row.applied_ms,
    takenInto: [
      ...windowsOver(row).flatMap(({ aggregate, startMs }) => {
        const revision = amended.get(keyOf(row.applied_text, aggregate, startMs));
        return revision === undefined ? [] : [{ aggregate, startMs, revision }];
      }),
      ...(sessions[index] ?? []),
    ],
  }));
}

const keyOf = (at: string | null, aggregate: string, startMs: number): string => `${at} ${aggregate} ${startMs}`;

function windowsOver({ occurred_ms, event_type }: LateRow): { aggregate: string; startMs: number }[] {
  return AGGREGATES.filter(
    ({ eventTypes }) => eventTypes === null || eventTypes.some((type) => type === event_type),
  ).flatMap(({ name, window }) => windowsOf(window, occurred_ms).map(({ startMs }) => ({ aggregate: name, startMs })));
}

/** Revisions that were made by the transactions that applied these events, of the windows over them. */
async function amendedWindows(db: Queryable, schema: string, rows: readonly LateRow[]): Promise<Map<string, number>> {
  const asked = rows
    .filter((row) => row.applied_text !== null)
    .flatMap((row) => windowsOver(row).map(({ aggregate, startMs }) => ({ aggregate, startMs, at: row.applied_text })));
  if (asked.length === 0) return new Map();
  const { rows: found } = await db.query<{ at: string; aggregate: string; start_ms: number; revision: number }>(
    `select distinct a.amended_at::text as at, a.aggregate, ${toMs('a.window_start')} as start_ms, a.revision
     from (select distinct * from unnest($1::text[], $2::text[], $3::float8[]) as w (at, aggregate, start_ms)) w
     join ${quoteSchema(schema)}.amendments a
       on a.aggregate = w.aggregate and a.window_start = to_timestamp(w.start_ms / 1000) and a.amended_at = w.at::timestamptz`,
    [asked.map(({ at }) => at), asked.map(({ aggregate }) => aggregate), asked.map(({ startMs }) => startMs)],
  );
  return new Map(found.map((row) => [keyOf(row.at, row.aggregate, row.start_ms), row.revision]));
}

/** Late events whose distance lies in `[fromMs, toMs)`; `toMs` null: any further one. */
export type LateCount = {
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly waiting: number;
  readonly applied: number;
  readonly beyondHorizon: number;
};

const MINUTE_MS = 60_000;
const DISTANCES_MS = [0, MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS, 6 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS];

/** How many there are by how late they came, nearest first; every distance is there, also with none. */
export async function countLateByDistance(
  db: Queryable,
  schema: string,
  selection: LateSelection,
): Promise<LateCount[]> {
  const bounds = DISTANCES_MS.slice(1).map((ms) => `interval '${ms / 1000} seconds'`);
  const count = (state: LateState): string => `count(*) filter (where ${CONDITIONS[state]})::float8`;
  const { rows } = await db.query<{ distance: number; waiting: number; applied: number; beyond: number }>(
    `select width_bucket(l.closed_through - l.occurred_at, array[${bounds.join(', ')}]) as distance,
       ${count('waiting')} as waiting, ${count('applied')} as applied, ${count('beyond-horizon')} as beyond
     from ${quoteSchema(schema)}.late_events l where ${whereSql(selection)} group by 1`,
  );
  const counted = new Map(rows.map((row) => [row.distance, row]));
  return DISTANCES_MS.map((fromMs, index) => {
    const { waiting = 0, applied = 0, beyond = 0 } = counted.get(index) ?? {};
    return { fromMs, toMs: DISTANCES_MS[index + 1] ?? null, waiting, applied, beyondHorizon: beyond };
  });
}

/** Late events that the results leave out. */
export async function countLateLeftOut(db: Queryable, schema: string): Promise<number> {
  const { rows } = await db.query<{ left_out: number }>(
    `select count(*)::float8 as left_out from ${quoteSchema(schema)}.late_events l where ${CONDITIONS['beyond-horizon']}`,
  );
  return rows[0]?.left_out ?? 0;
}
