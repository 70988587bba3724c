// Into which closed session of its user, and into which window of the funnels, a late event was taken.
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { toMs } from './instant.ts';
import type { TakenInto } from './late-list.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { funnelWindowOf } from './session-islands.ts';

/** A late event: times as PostgreSQL's text, with their microseconds. `appliedAt` null: it waits, or is left out. */
type Placed = { readonly userId: string | null; readonly occurredAt: string; readonly appliedAt: string | null };

/**
 * For each event, in order, what the transaction that applied it made of the session that holds it now and of that one's
 * window. Nothing where the session was open then, or where a later event has given it another start since.
 */
export async function sessionsTakenInto(
  db: Queryable,
  schema: string,
  events: readonly Placed[],
): Promise<TakenInto[][]> {
  const taken: TakenInto[][] = events.map(() => []);
  if (events.every(({ appliedAt }) => appliedAt === null)) return taken;
  const tables = quoteSchema(schema);
  const { rows } = await db.query<TakenInto & { place: number }>(
    `with placed as materialized (
       select e.place::int as place, e.user_id, e.applied_at::timestamptz as applied_at, s.session_start
       from unnest($1::text[], $2::text[], $3::text[]) with ordinality as e (user_id, occurred_at, applied_at, place)
       cross join lateral (
         select session_start, session_end from ${tables}.${SESSIONS}
         where user_id = e.user_id and session_start <= e.occurred_at::timestamptz order by session_start desc limit 1
       ) s
       where e.applied_at is not null and s.session_end >= e.occurred_at::timestamptz
     )
     select place, a.aggregate, ${toMs('a.window_start')} as "startMs", a.revision
     from placed p join ${tables}.amendments a on a.aggregate = '${SESSIONS}' and a.window_start = p.session_start
       and a.amended_at = p.applied_at and a.group_key = jsonb_build_object('user_id', p.user_id) and a.after is not null
     union
     select place, a.aggregate, ${toMs('a.window_start')}, a.revision
     from placed p join ${tables}.amendments a on a.aggregate = '${FUNNEL}'
       and a.window_start = ${funnelWindowOf('p.session_start')} and a.amended_at = p.applied_at
     order by 1, 2 desc, 3`,
    [events.map((of) => of.userId), events.map((of) => of.occurredAt), events.map((of) => of.appliedAt)],
  );
  for (const { place, ...into } of rows) taken[place - 1]?.push(into);
  return taken;
}
