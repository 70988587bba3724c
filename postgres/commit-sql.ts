// The SQL of one micro-batch's transaction: the fenced step of the checkpoint first, then the rows it covers.
import { escapeLiteral } from 'pg';

import type { Counts } from '../pipeline/checkpoint.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { DEAD_LETTER_COLUMNS } from './dead-letters.ts';
import { EVENT_COLUMNS, LATE_COLUMNS } from './event-rows.ts';
import { quoteSchema } from './schema-name.ts';

/** A lease's claim: only at this epoch, only from where the checkpoint stands. */
export type Claim = { readonly spec: PipelineSpec; readonly partition: number; readonly epoch: number };

type CommitPlace = Pick<PipelineSpec, 'schema' | 'topic'> & { readonly partition: number };

export type Step = {
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly counts: Counts;
  /** Latest event of the batch, and the earliest one that is not marked late; null: there is none. */
  readonly maxOccurredAtMs: number | null;
  readonly minOnTimeMs: number | null;
  readonly closedThroughMs: number;
  readonly hasRejected: boolean;
};

const timestamp = (ms: number | null): string => (ms === null ? 'null' : `to_timestamp(${ms / 1000})`);

/** How every micro-batch of the partition begins, whoever sends it; this is how PostgreSQL's list of sessions shows it. */
export function commitSqlStart({ schema, topic, partition }: CommitPlace): string {
  return `select ${quoteSchema(schema)}.advance_checkpoint(${escapeLiteral(topic)}, ${partition}, `;
}

/** Nothing but numbers and the escaped topic is put into the text: everything users wrote goes through COPY. */
function advance({ spec, partition, epoch }: Claim, step: Step, counts: Counts): string {
  const { latenessMs, maxFutureMs } = spec;
  const watermarkMs = step.maxOccurredAtMs === null ? null : step.maxOccurredAtMs - latenessMs;
  const numbers = [
    [step.fromOffset, step.toOffset, epoch],
    [counts.recorded, counts.duplicate, counts.late, counts.rejected, counts.skipped],
  ].flat();
  return (
    `${commitSqlStart({ ...spec, partition })}${numbers.join(', ')}, ` +
    `${timestamp(watermarkMs)}, interval '${maxFutureMs - latenessMs} milliseconds', ${timestamp(step.minOnTimeMs)})`
  );
}

const copy = (table: string, columns: string): string => `copy ${table} (${columns}) from stdin (format binary)`;

/** Straight into the tables: fails with 23505 when any event is there already. COPY data: events, late events, dead letters. */
export function plainCommitSql(claim: Claim, step: Step): string {
  const tables = quoteSchema(claim.spec.schema);
  const statements = [advance(claim, step, step.counts)];
  if (step.counts.recorded > 0) statements.push(copy(`${tables}.events`, EVENT_COLUMNS));
  if (step.counts.late > 0) statements.push(copy(`${tables}.late_events`, LATE_COLUMNS));
  if (step.hasRejected) statements.push(copy(`${tables}.dead_letters`, DEAD_LETTER_COLUMNS));
  return statements.join(';\n');
}

/**
 * The same through a staging table that leaves out what is there already; counts come from what was really inserted. COPY
 * data: events, dead letters. Its last row is (recorded, late). Rows go in by key order, so that two batches with the
 * same duplicates wait for each other instead of deadlocking.
 */
export function stagedCommitSql(claim: Claim, step: Step): string {
  const { spec, partition } = claim;
  const tables = quoteSchema(spec.schema);
  const { counts } = step;
  const closed = Number.isFinite(step.closedThroughMs) ? timestamp(step.closedThroughMs) : `'-infinity'::timestamptz`;
  const horizon = `interval '${spec.amendHorizonMs} milliseconds'`;
  return [
    advance(claim, step, { ...counts, recorded: 0, duplicate: 0, late: 0 }),
    `create temp table if not exists event_stage (like ${tables}.events including defaults) on commit delete rows`,
    copy('pg_temp.event_stage', EVENT_COLUMNS),
    ...(step.hasRejected ? [copy(`${tables}.dead_letters`, DEAD_LETTER_COLUMNS)] : []),
    `with inserted as (
       insert into ${tables}.events (${EVENT_COLUMNS})
       select ${EVENT_COLUMNS} from pg_temp.event_stage order by occurred_at, event_id
       on conflict do nothing
       returning event_id, occurred_at, kafka_partition, kafka_offset
     ), late as (
       insert into ${tables}.late_events (${LATE_COLUMNS})
       select event_id, occurred_at, kafka_partition, kafka_offset, ${closed}, occurred_at < ${closed} - ${horizon}
       from inserted where occurred_at < ${closed}
       returning 1
     ), counted as (
       select (select count(*) from inserted) as recorded, (select count(*) from late) as late
     )
     update ${tables}.checkpoints
        set recorded = checkpoints.recorded + counted.recorded,
            duplicate = checkpoints.duplicate + ${counts.recorded + counts.duplicate} - counted.recorded,
            late = checkpoints.late + counted.late
       from counted
      where topic = ${escapeLiteral(spec.topic)} and partition = ${partition}
     returning counted.recorded, counted.late`,
  ].join(';\n');
}
