// The table `checkpoint_runs`: the counts of a partition's earlier runs. The present run's are in its checkpoint.
import { parseOffset } from '../pipeline/offset.ts';
import type { PartitionRun } from '../pipeline/partition-run.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

type RunRow = {
  partition: number;
  run: number;
  first_offset: string;
  next_offset: string;
  recorded: string;
  duplicate: string;
  late: string;
  rejected: string;
  rejected_again: string;
  skipped: string;
  accepted_gaps: string;
  ended_at_ms: number | null;
  why: string | null;
};

/** All runs of the topic's partitions with the present ones, by partition and run. One statement: one moment. */
export async function readRuns(
  db: Queryable,
  { schema, topic }: Pick<PipelineSpec, 'schema' | 'topic'>,
): Promise<PartitionRun[]> {
  const tables = quoteSchema(schema);
  const columns =
    'topic, partition, run, first_offset, next_offset, recorded, duplicate, late, rejected, rejected_again, skipped';
  const { rows } = await db.query<RunRow>(
    `select r.*, coalesce((
         select sum(greatest(least(g.to_offset, r.next_offset) - greatest(g.from_offset, r.first_offset), 0))
           from ${tables}.gaps g where g.topic = r.topic and g.partition = r.partition and g.run = r.run
       ), 0) as accepted_gaps
       from (
         select ${columns}, why, (extract(epoch from ended_at) * 1000)::float8 as ended_at_ms from ${tables}.checkpoint_runs
         union all
         select ${columns}, null, null from ${tables}.checkpoints
       ) r
      where topic = $1 order by partition, run`,
    [topic],
  );
  return rows.map(toRun);
}

function toRun(row: RunRow): PartitionRun {
  const { ended_at_ms: atMs, why } = row;
  return {
    partition: row.partition,
    run: row.run,
    firstOffset: parseOffset(row.first_offset),
    nextOffset: parseOffset(row.next_offset),
    counts: {
      recorded: Number(row.recorded),
      duplicate: Number(row.duplicate),
      late: Number(row.late),
      rejected: Number(row.rejected),
      skipped: Number(row.skipped),
    },
    rejectedAgain: Number(row.rejected_again),
    acceptedGaps: Number(row.accepted_gaps),
    ended: atMs === null || why === null ? null : { atMs, why },
  };
}
