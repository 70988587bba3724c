// What a system has made of the topic, held against the truth: event by event, and row by row of each result table.
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import type { Aggregate } from '../../pipeline/aggregates.ts';
import type { StackAddresses } from '../../local/stack.ts';
import type { Queryable } from '../../postgres/pool.ts';
import { eventsColumn, keyColumns, measureColumns } from '../../postgres/result-sql.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { withPostgres } from './postgres.ts';
import type { Truth } from './truth.ts';

/** `lost`: events of the topic without a row; `doubled`: rows too many; `foreign`, `altered`: rows that say something else. */
export type EventDiff = {
  readonly expected: number;
  readonly rows: number;
  readonly lost: number;
  readonly doubled: number;
  readonly foreign: number;
  readonly altered: number;
};

/**
 * Rows of one result table. `unclosed`: missing, and the window ends after the newest event less the lateness; `missing`: any
 * other (all that it held was late). `short`: fewer events than the topic has, because late ones were dropped; `over`: more,
 * because repeated ones were counted. `otherwise`: rows with the right count, by column that differs.
 */
export type ResultDiff = {
  readonly expected: number;
  readonly rows: number;
  readonly right: number;
  readonly unclosed: number;
  readonly missing: number;
  readonly foreign: number;
  readonly short: number;
  readonly over: number;
  /** Events that the missing and short rows do not count. */
  readonly eventsLeftOut: number;
  readonly otherwise: Readonly<Record<string, number>>;
};

/** That of the peers' watermarks. */
const LATENESS = `interval '5 minutes'`;

type Place = { readonly addresses: StackAddresses; readonly truth: Truth };

/** `rows`: the system's own, as System.rows says. */
export async function diffEvents(place: Place, rows: string): Promise<EventDiff> {
  const truth = `${quoteSchema(place.truth.schema)}.events`;
  return await withPostgres(
    place,
    async (db) =>
      await oneOf<EventDiff>(
        db,
        `with landed as materialized (
       select event_id, count(*) as copies, min(occurred_at) as occurred_at, min(event_type) as event_type,
         min(user_id) as user_id, min(total_amount) as total_amount
       from (${rows}) as r group by event_id
     )
     select count(t.event_id)::float8 as expected, coalesce(sum(l.copies), 0)::float8 as rows,
       count(*) filter (where l.event_id is null)::float8 as lost,
       coalesce(sum(l.copies - 1), 0)::float8 as doubled,
       count(*) filter (where t.event_id is null)::float8 as foreign,
       count(*) filter (where l.event_id = t.event_id and (l.occurred_at, l.event_type collate "C", l.user_id collate "C", l.total_amount)
         is distinct from (t.occurred_at, t.event_type, t.user_id, t.total_amount))::float8 as altered
     from ${truth} t full join landed l on l.event_id = t.event_id`,
      ),
  );
}

/** By result table. */
export async function diffResults(place: Place, schema: string): Promise<Record<string, ResultDiff>> {
  return await withPostgres(place, async (db) => {
    const diffs: Record<string, ResultDiff> = {};
    for (const aggregate of AGGREGATES) diffs[aggregate.name] = await diffTable(db, aggregate, { place, schema });
    return diffs;
  });
}

async function diffTable(
  db: Queryable,
  aggregate: Aggregate,
  { place, schema }: { place: Place; schema: string },
): Promise<ResultDiff> {
  const truth = quoteSchema(place.truth.schema);
  const events = eventsColumn(aggregate);
  const sameKey = keyColumns(aggregate).map((column) => `t.${column} = s.${column}`);
  const bothThere = 't.window_start is not null and s.window_start is not null';
  const others = ['window_end', ...measureColumns(aggregate)].filter((column) => column !== events);
  const differs = (column: string): string => `t.${column} is distinct from s.${column}`;
  const counted = `${bothThere} and t.${events} = s.${events}`;
  const isOpen = `t.window_end > (select max(occurred_at) from ${truth}.events) - ${LATENESS}`;
  const number = (what: string, where: string): string => `count(*) filter (where ${where})::float8 as "${what}"`;
  const { otherwise, ...diff } = await oneOf<ResultDiff>(
    db,
    `select count(t.window_start)::float8 as expected, count(s.window_start)::float8 as rows,
       ${number('right', `${counted} and not (${others.map(differs).join(' or ')})`)},
       ${number('unclosed', `s.window_start is null and ${isOpen}`)},
       ${number('missing', `s.window_start is null and not ${isOpen}`)},
       ${number('foreign', 't.window_start is null')},
       ${number('short', `${bothThere} and s.${events} < t.${events}`)},
       ${number('over', `${bothThere} and s.${events} > t.${events}`)},
       coalesce(sum(greatest(t.${events} - coalesce(s.${events}, 0), 0)), 0)::float8 as "eventsLeftOut",
       jsonb_build_object(${others.map((column) => `'${column}', count(*) filter (where ${counted} and ${differs(column)})`).join(', ')}) as otherwise
     from ${truth}.${aggregate.name} t full join ${quoteSchema(schema)}.${aggregate.name} s on ${sameKey.join(' and ')}`,
  );
  return { ...diff, otherwise: Object.fromEntries(Object.entries(otherwise).filter(([, count]) => count > 0)) };
}

async function oneOf<Row extends object>(db: Queryable, sql: string): Promise<Row> {
  const [row] = (await db.query<Row>(sql)).rows;
  if (row === undefined) throw new Error('A comparison answered nothing.');
  return row;
}
