// Counts the rows that rewinds have put back: late events and dead letters at offsets which had been read before.
import { must } from '../pipeline/ensure.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { PutBack } from '../pipeline/put-back.ts';
import { wholePanes } from '../pipeline/rebuild.ts';
import { toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

export type PutBackQuery = {
  /** What the rewinds gave as their reason. */
  readonly why: string;
  /** Offset by partition (decimal strings): only what lies before it had been read already. */
  readonly offsets: Readonly<Record<string, string>>;
};

/** One pass over the late events, and one over the letters made since the rewinds. */
export async function countPutBack(
  db: Queryable,
  { schema, topic }: Pick<PipelineSpec, 'schema' | 'topic'>,
  { why, offsets }: PutBackQuery,
): Promise<PutBack> {
  const tables = quoteSchema(schema);
  const { rows } = await db.query<Row>(
    `with reread as materialized (
       select r.partition, r.ended_at, o.value::bigint as before_offset
       from ${tables}.checkpoint_runs r join jsonb_each_text($3) o on o.key = r.partition::text
       where r.topic = $1 and r.why = $2
     ), late as (
       select count(*)::float8 as events, min(l.occurred_at) as first_at, max(l.occurred_at) as last_at
       from ${tables}.late_events l join reread on partition = l.kafka_partition
       where l.recorded_at >= ended_at and l.kafka_offset < before_offset
     )
     select events, ${toMs('first_at')} as first_ms, ${toMs('last_at')} as last_ms, (
       select count(*)::float8 from ${tables}.dead_letters d join reread on partition = d.kafka_partition
       where d.created_at >= (select min(ended_at) from reread) and d.created_at >= ended_at and d.kafka_offset < before_offset
     ) as letters from late`,
    [topic, why, JSON.stringify(offsets)],
  );
  const { events, letters, first_ms: firstMs, last_ms: lastMs } = must(rows[0], 'the count of what came back');
  const span = firstMs === null || lastMs === null ? null : wholePanes({ startMs: firstMs, endMs: lastMs + 1 });
  return { events, letters, span };
}

type Row = { events: number; letters: number; first_ms: number | null; last_ms: number | null };
