// Counts, in the caller's snapshot, the rows that each partition wrote, for comparison with the counts of its runs.
import type { PartitionRows } from '../pipeline/check-partitions.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

type Row = {
  partition: number;
  events: string;
  dead_letters: string;
  late_events: string;
  outside_checkpoint: string;
};

/** One scan of each table, whatever its size. Late events of the schema are those of the topic: a schema holds one. */
export async function countPartitionRows(
  db: Queryable,
  { schema, topic }: Pick<PipelineSpec, 'schema' | 'topic'>,
): Promise<PartitionRows[]> {
  const tables = quoteSchema(schema);
  const outside = `count(*) filter (where r.kafka_offset < c.first_offset or r.kafka_offset >= c.next_offset or c.partition is null)`;
  const { rows } = await db.query<Row>(
    `with cp as (
       select partition, min(first_offset) as first_offset, max(next_offset) as next_offset
         from (
           select topic, partition, first_offset, next_offset from ${tables}.checkpoints
           union all
           select topic, partition, first_offset, next_offset from ${tables}.checkpoint_runs
         ) runs
        where topic = $1 group by partition
     ),
     counted as (
       select kafka_partition as partition, count(*) as events, 0 as dead, 0 as late, ${outside} as outside
         from ${tables}.events r left join cp c on c.partition = r.kafka_partition group by 1
       union all
       select kafka_partition, 0, count(*), 0, ${outside}
         from ${tables}.dead_letters r left join cp c on c.partition = r.kafka_partition group by 1
       union all
       select kafka_partition, 0, 0, count(*), 0 from ${tables}.late_events group by 1
     )
     select partition, sum(events) as events, sum(dead) as dead_letters, sum(late) as late_events,
            sum(outside) as outside_checkpoint
       from counted group by 1 order by 1`,
    [topic],
  );
  return rows.map((row) => ({
    partition: row.partition,
    events: Number(row.events),
    deadLetters: Number(row.dead_letters),
    lateEvents: Number(row.late_events),
    outsideCheckpoint: Number(row.outside_checkpoint),
  }));
}

export type LateLeftOut = { readonly waiting: number; readonly beyondHorizon: number };

/** The late events that the result tables leave out in this snapshot: those not applied yet, and those that never will be. */
export async function countLateLeftOut(db: Queryable, schema: string): Promise<LateLeftOut> {
  const { rows } = await db.query<{ waiting: string; beyond: string }>(
    `select count(*) filter (where not beyond_horizon) as waiting, count(*) filter (where beyond_horizon) as beyond
       from ${quoteSchema(schema)}.late_events where applied_at is null`,
  );
  return { waiting: Number(rows[0]?.waiting ?? 0), beyondHorizon: Number(rows[0]?.beyond ?? 0) };
}
