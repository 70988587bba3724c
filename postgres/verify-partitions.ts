// Counts, in the caller's snapshot, the rows that each partition wrote, for comparison with its checkpoint.
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
  accepted_gaps: string;
};

/** One scan of each table, whatever its size. Late events of the schema are those of the topic: a schema holds one. */
export async function countPartitionRows(
  db: Queryable,
  { schema, topic }: Pick<PipelineSpec, 'schema' | 'topic'>,
): Promise<PartitionRows[]> {
  const tables = quoteSchema(schema);
  const outside = `count(*) filter (where r.kafka_offset < c.first_offset or r.kafka_offset >= c.next_offset or c.partition is null)`;
  const { rows } = await db.query<Row>(
    `with cp as (select partition, first_offset, next_offset from ${tables}.checkpoints where topic = $1),
     counted as (
       select kafka_partition as partition, count(*) as events, 0 as dead, 0 as late, ${outside} as outside, 0 as gap
         from ${tables}.events r left join cp c on c.partition = r.kafka_partition group by 1
       union all
       select kafka_partition, 0, count(*), 0, ${outside}, 0
         from ${tables}.dead_letters r left join cp c on c.partition = r.kafka_partition group by 1
       union all
       select kafka_partition, 0, 0, count(*), 0, 0 from ${tables}.late_events group by 1
       union all
       select g.partition, 0, 0, 0, 0,
              sum(greatest(least(g.to_offset, c.next_offset) - greatest(g.from_offset, c.first_offset), 0))
         from ${tables}.gaps g join cp c using (partition) where g.topic = $1 group by 1
     )
     select partition, sum(events) as events, sum(dead) as dead_letters, sum(late) as late_events,
            sum(outside) as outside_checkpoint, sum(gap) as accepted_gaps
       from counted group by 1 order by 1`,
    [topic],
  );
  return rows.map((row) => ({
    partition: row.partition,
    events: Number(row.events),
    deadLetters: Number(row.dead_letters),
    lateEvents: Number(row.late_events),
    outsideCheckpoint: Number(row.outside_checkpoint),
    acceptedGaps: Number(row.accepted_gaps),
  }));
}

/** The late events that the result tables leave out in this snapshot, and how far the tables are written (ISO-8601). */
export async function readResultBounds(
  db: Queryable,
  { schema, topic }: Pick<PipelineSpec, 'schema' | 'topic'>,
): Promise<{ takenAt: string; writtenThrough: string | null; lateWaiting: number; lateBeyondHorizon: number }> {
  const tables = quoteSchema(schema);
  const iso = (expression: string): string => `to_char(${expression}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  const { rows } = await db.query<{
    taken_at: string;
    written_through: string | null;
    waiting: string;
    beyond: string;
  }>(
    `select ${iso('now()')} as taken_at,
       (select ${iso('written_through')} from ${tables}.closed_through where topic = $1 and isfinite(written_through)) as written_through,
       (select count(*) from ${tables}.late_events where applied_at is null and not beyond_horizon) as waiting,
       (select count(*) from ${tables}.late_events where beyond_horizon) as beyond`,
    [topic],
  );
  const [row] = rows;
  return {
    takenAt: row?.taken_at ?? '',
    writtenThrough: row?.written_through ?? null,
    lateWaiting: Number(row?.waiting ?? 0),
    lateBeyondHorizon: Number(row?.beyond ?? 0),
  };
}
