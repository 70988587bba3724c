// Counts the rows that rewinds have put back: late events and dead letters at offsets which had been read before.
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { PutBack } from '../pipeline/put-back.ts';
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
  const { rows } = await db.query<PutBack>(
    `with reread as materialized (
       select r.partition, r.ended_at, o.value::bigint as before_offset
       from ${tables}.checkpoint_runs r join jsonb_each_text($3) o on o.key = r.partition::text
       where r.topic = $1 and r.why = $2
     )
     select (
       select count(*)::float8 from ${tables}.late_events l join reread on partition = l.kafka_partition
       where l.recorded_at >= ended_at and l.kafka_offset < before_offset
     ) as events, (
       select count(*)::float8 from ${tables}.dead_letters d join reread on partition = d.kafka_partition
       where d.created_at >= (select min(ended_at) from reread) and d.created_at >= ended_at and d.kafka_offset < before_offset
     ) as letters`,
    [topic, why, JSON.stringify(offsets)],
  );
  return rows[0] ?? { events: 0, letters: 0 };
}
