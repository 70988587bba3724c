// The SQL of one micro-batch's transaction: the fenced step of the checkpoint first, then the rows it covers.
import { escapeLiteral } from 'pg';

import type { Counts } from '../pipeline/checkpoint.ts';
import { must } from '../pipeline/ensure.ts';
import type { MicroBatch, Replay } from '../pipeline/micro-batch.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { DEAD_LETTER_COLUMNS } from './dead-letters.ts';
import { EVENT_COLUMNS, LATE_COLUMNS } from './event-rows.ts';
import { lockLettersSql, replayOutcomesSql, rereadOutcomesSql } from './replay-outcomes.ts';
import { quoteSchema } from './schema-name.ts';

/**
 * A lease's claim: only at this epoch, only from where the checkpoint stands. `reachedOffset`: offsets below it were read by
 * earlier runs; none when absent.
 */
export type Claim = {
  readonly spec: PipelineSpec;
  readonly partition: number;
  readonly epoch: number;
  readonly reachedOffset?: number;
};

type CommitPlace = Pick<PipelineSpec, 'schema' | 'topic'> & { readonly partition: number };

/** A batch of new, timely events and nothing else; `rows`: their COPY data. */
export type SharedBatch = { readonly claim: Claim; readonly step: Step; readonly rows: Buffer };

export type Step = {
  readonly batch: MicroBatch;
  readonly counts: Counts;
  /** Latest event of the batch, and the earliest one that is not marked late; null: there is none. */
  readonly maxOccurredAtMs: number | null;
  readonly minOnTimeMs: number | null;
  readonly closedThroughMs: number;
  /** Messages of the batch that say they repeat a letter. */
  readonly replays: readonly Replay[];
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
    [step.batch.fromOffset, step.batch.toOffset, epoch],
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
  const statements = [advance(claim, step, step.counts), ...lockLettersSql(claim.spec.schema, step.replays)];
  if (step.counts.recorded > 0) statements.push(copy(`${tables}.events`, EVENT_COLUMNS));
  if (step.counts.late > 0) statements.push(copy(`${tables}.late_events`, LATE_COLUMNS));
  if (step.counts.rejected > 0) statements.push(copy(`${tables}.dead_letters`, DEAD_LETTER_COLUMNS));
  statements.push(...replayOutcomesSql({ schema: claim.spec.schema, partition: claim.partition }, step.replays));
  return statements.join(';\n');
}

/**
 * How a transaction of several partitions' batches begins; behind it come the partitions between commas, then a quote. No
 * more of a statement than its first kilobyte is shown in PostgreSQL's list of sessions.
 */
export function sharedCommitSqlStart({ schema, topic }: Omit<CommitPlace, 'partition'>): string {
  return `select ${escapeLiteral(`${schema}/${topic}`)} as batches_of, ',`;
}

/** Sooner than a lease waits: one partition that is held up would hold up all. */
const SHARED_LOCK_WAIT_MS = 1_000;

/** Batches of one topic, at least one. COPY data: the events of all of them in one. */
export function sharedCommitSql(batches: readonly SharedBatch[]): string {
  const { spec } = must(batches[0], 'a batch to commit').claim;
  const partitions = batches.map(({ claim }) => claim.partition).join(',');
  return [
    `${sharedCommitSqlStart(spec)}${partitions},' as partitions`,
    `set local lock_timeout = ${SHARED_LOCK_WAIT_MS}`,
    ...batches.map(({ claim, step }) => advance(claim, step, step.counts)),
    copy(`${quoteSchema(spec.schema)}.events`, EVENT_COLUMNS),
  ].join(';\n');
}

/** True when an earlier run of the partition has read some of the batch: its rows are there, as far as they came to be. */
export function isReread({ reachedOffset = 0 }: Claim, { fromOffset }: MicroBatch): boolean {
  return fromOffset < reachedOffset;
}

/**
 * The same through staging tables that leave out what is there already; counts come from what was really inserted. COPY
 * data: events, dead letters. Its last row is (recorded, late). Rows go in by key order, so that two batches with the
 * same duplicates wait for each other instead of deadlocking.
 */
export function stagedCommitSql(claim: Claim, step: Step): string {
  const { spec, partition } = claim;
  const { schema } = spec;
  const tables = quoteSchema(schema);
  const { counts, batch } = step;
  const hasRejected = counts.rejected > 0;
  return [
    advance(claim, step, { ...counts, recorded: 0, duplicate: 0, late: 0 }),
    ...lockLettersSql(schema, step.replays),
    `create temp table if not exists event_stage (like ${tables}.events including defaults) on commit delete rows`,
    copy('pg_temp.event_stage', EVENT_COLUMNS),
    ...(hasRejected ? stagedLettersSql(tables) : []),
    `with ${stagedEventsSql(claim, step)}${hasRejected ? `, letters as (${insertLettersSql(tables)})` : ''}, counted as (
       select (select count(*) from inserted) as recorded, (select count(*) from late) as late,
         ${hasRejected ? '(select count(*) from letters)' : '0'} as letters
     )
     update ${tables}.checkpoints
        set recorded = checkpoints.recorded + counted.recorded,
            duplicate = checkpoints.duplicate + ${counts.recorded + counts.duplicate} - counted.recorded,
            late = checkpoints.late + counted.late,
            rejected_again = checkpoints.rejected_again + ${counts.rejected} - counted.letters
       from counted
      where topic = ${escapeLiteral(spec.topic)} and partition = ${partition}
     returning counted.recorded, counted.late`,
    ...(isReread(claim, batch) ? rereadOutcomesSql({ schema, partition, batch }) : []),
    ...replayOutcomesSql({ schema, partition }, step.replays),
  ].join(';\n');
}

/**
 * `inserted`: the staged events that were new; `late`: their late marks. An event whose row somebody has deleted keeps the
 * mark that it has.
 */
function stagedEventsSql({ spec }: Claim, { closedThroughMs }: Step): string {
  const tables = quoteSchema(spec.schema);
  const closed = Number.isFinite(closedThroughMs) ? timestamp(closedThroughMs) : `'-infinity'::timestamptz`;
  const horizon = `interval '${spec.amendHorizonMs} milliseconds'`;
  return `inserted as (
       insert into ${tables}.events (${EVENT_COLUMNS})
       select ${EVENT_COLUMNS} from pg_temp.event_stage order by occurred_at, event_id
       on conflict do nothing
       returning event_id, occurred_at, kafka_partition, kafka_offset
     ), late as (
       insert into ${tables}.late_events (${LATE_COLUMNS})
       select event_id, occurred_at, kafka_partition, kafka_offset, ${closed}, occurred_at < ${closed} - ${horizon}
       from inserted where occurred_at < ${closed}
       on conflict (occurred_at, event_id) do nothing
       returning 1
     )`;
}

function stagedLettersSql(tables: string): string[] {
  return [
    `create temp table if not exists letter_stage on commit delete rows as
       select ${DEAD_LETTER_COLUMNS} from ${tables}.dead_letters with no data`,
    copy('pg_temp.letter_stage', DEAD_LETTER_COLUMNS),
  ];
}

/** A message that was refused when it was read before has its letter, whatever became of that since. */
function insertLettersSql(tables: string): string {
  return `insert into ${tables}.dead_letters (${DEAD_LETTER_COLUMNS})
     select ${DEAD_LETTER_COLUMNS} from pg_temp.letter_stage order by kafka_offset
     on conflict (kafka_partition, kafka_offset, kafka_timestamp) do nothing
     returning 1`;
}
