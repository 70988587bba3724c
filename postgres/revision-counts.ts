// What a reprocess has revised, counted in `amendments`: exact whatever became of the processes that did it.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { RebuildCounts } from '../pipeline/rebuild.ts';
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import { FUNNEL, SESSIONS, sessionRulesOf } from '../pipeline/session.ts';
import type { SessionSettings } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { instant } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

type Where = Pick<PipelineSpec, 'schema'>;

/** Id of the newest amendment, a decimal string; "0" when there is none. */
export async function newestAmendment(db: Queryable, { schema }: Where): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `select coalesce(max(id), 0)::text as id from ${quoteSchema(schema)}.amendments`,
  );
  return must(rows[0], 'the row of a count').id;
}

export type RevisionCounts = Pick<RebuildCounts, 'windows' | 'changedRows' | 'newRows' | 'vanishedRows'>;

/** Windows over `range`, its sessions, and their rows that a reprocess has revised since the amendment `afterId`. */
export async function countRevisions(
  db: Queryable,
  { schema, ...settings }: Where & SessionSettings,
  { range, afterId }: { range: Span; afterId: string },
): Promise<RevisionCounts> {
  const { maxMs } = sessionRulesOf(settings);
  // A session over the range began at most its greatest length before; the funnels count it where it began.
  const lengths = [
    ...AGGREGATES.map(({ name, window }) => [name, window.lengthMs] as const),
    [SESSIONS, maxMs],
    [FUNNEL, maxMs + FUNNEL_WINDOW.lengthMs],
  ] as const;
  const overRange = lengths.map(
    ([name, lengthMs]) =>
      `(aggregate = '${name}' and window_start > ${instant(range.startMs - lengthMs)} and window_start < ${instant(range.endMs)})`,
  );
  const { rows } = await db.query<RevisionCounts>(
    `select count(distinct (aggregate, window_start)) filter (where aggregate <> '${SESSIONS}')::float8 as windows,
       count(*) filter (where before is not null and after is not null)::float8 as "changedRows",
       count(*) filter (where before is null)::float8 as "newRows",
       count(*) filter (where after is null)::float8 as "vanishedRows"
     from ${quoteSchema(schema)}.amendments
     where id > $1 and cause = 'reprocess' and (${overRange.join(' or ')})`,
    [afterId],
  );
  return must(rows[0], 'the row of a count');
}
