// The table `checkpoints`: how far each partition is, who may move it, and what became of its messages.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { parseOffset } from '../pipeline/offset.ts';
import type { Checkpoint } from '../pipeline/checkpoint.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { commitSqlStart, sharedCommitSqlStart } from './commit-sql.ts';
import { withTransaction } from './pool.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { LOCK_NOT_AVAILABLE, sqlState } from './sqlstate.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/** The schema belongs to another topic: nothing of this one may be written there. */
export class ForeignSchemaError extends Error {}

type CheckpointRow = {
  topic: string;
  partition: number;
  run: number;
  reached_offset: string;
  first_offset: string;
  next_offset: string;
  epoch: string;
  watermark_ms: number | null;
  committed_at_ms: number;
  recorded: string;
  duplicate: string;
  late: string;
  rejected: string;
  skipped: string;
};

/** Of the rows `c` of checkpoints. */
const columns = (tables: string): string => `
  c.topic, c.partition, c.run, c.first_offset, c.next_offset, c.epoch,
  c.recorded, c.duplicate, c.late, c.rejected, c.skipped,
  coalesce((select max(r.next_offset) from ${tables}.checkpoint_runs r
    where r.topic = c.topic and r.partition = c.partition), 0) as reached_offset,
  (extract(epoch from c.watermark) * 1000)::float8 as watermark_ms,
  (extract(epoch from c.committed_at) * 1000)::float8 as committed_at_ms`;

function toCheckpoint(row: CheckpointRow): Checkpoint {
  return {
    topic: row.topic,
    partition: row.partition,
    run: row.run,
    reachedOffset: parseOffset(row.reached_offset),
    firstOffset: parseOffset(row.first_offset),
    nextOffset: parseOffset(row.next_offset),
    epoch: Number(row.epoch),
    watermarkMs: row.watermark_ms,
    committedAtMs: row.committed_at_ms,
    counts: {
      recorded: Number(row.recorded),
      duplicate: Number(row.duplicate),
      late: Number(row.late),
      rejected: Number(row.rejected),
      skipped: Number(row.skipped),
    },
  };
}

/** All checkpoints of the topic, by partition. */
export async function readCheckpoints(db: Queryable, { schema, topic }: Where): Promise<Checkpoint[]> {
  const tables = quoteSchema(schema);
  const { rows } = await db.query<CheckpointRow>(
    `select ${columns(tables)} from ${tables}.checkpoints c where topic = $1 order by partition`,
    [topic],
  );
  return rows.map(toCheckpoint);
}

/** One partition's checkpoint, or null when nobody has made it yet. */
export async function readCheckpoint(db: Queryable, where: Where, partition: number): Promise<Checkpoint | null> {
  const tables = quoteSchema(where.schema);
  const { rows } = await db.query<CheckpointRow>(
    `select ${columns(tables)} from ${tables}.checkpoints c where topic = $1 and partition = $2`,
    [where.topic, partition],
  );
  return rows[0] ? toCheckpoint(rows[0]) : null;
}

/**
 * Makes the checkpoint of a partition at `firstOffset` unless it exists. Throws ForeignSchemaError when the schema already holds another
 * topic: its events do not say which topic they came from.
 */
export async function ensureCheckpoint(
  db: Queryable,
  { schema, topic }: Where,
  { partition, firstOffset }: { partition: number; firstOffset: number },
): Promise<void> {
  const tables = quoteSchema(schema);
  const { rows } = await db.query<{ topic: string }>(
    `select topic from ${tables}.checkpoints where topic <> $1 limit 1`,
    [topic],
  );
  if (rows[0]) {
    throw new ForeignSchemaError(
      `Schema ${schema} already holds the events of topic ${rows[0].topic}: give topic ${topic} a schema of its own (WEIR_SCHEMA).`,
    );
  }
  await db.query(
    `insert into ${tables}.checkpoints (topic, partition, first_offset, next_offset) values ($1, $2, $3, $3) on conflict do nothing`,
    [topic, partition, firstOffset],
  );
  await db.query(`insert into ${tables}.closed_through (topic) values ($1) on conflict do nothing`, [topic]);
}

/** A batch takes milliseconds; one that another lease has waited for this long is frozen. */
const FROZEN_AFTER_MS = 2_000;
const MOST_ATTEMPTS = 5;

/** Takes the partition over: the epoch grows by one, so that every earlier holder is fenced from here on. */
export async function takeLease(pool: pg.Pool, where: Where, partition: number): Promise<Checkpoint> {
  return await holdingCheckpoint(pool, { ...where, partition }, (client) => raiseEpoch(client, where, partition));
}

/**
 * Runs `work`, which begins by locking the checkpoint row, in one transaction. A holder that froze in the middle of a batch
 * (stopped process, dead network) has the row locked: its session is ended, and `work` runs again.
 */
export async function holdingCheckpoint<T>(
  pool: pg.Pool,
  { partition, ...where }: Where & { readonly partition: number },
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withTransaction(pool, {}, async (client) => {
        await client.query(`set local lock_timeout = ${FROZEN_AFTER_MS}`);
        return await work(client);
      });
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE || attempt === MOST_ATTEMPTS) throw error;
      await endFrozenBatch(pool, where, partition);
    }
  }
}

async function raiseEpoch(client: pg.PoolClient, { schema, topic }: Where, partition: number): Promise<Checkpoint> {
  const tables = quoteSchema(schema);
  const { rows } = await client.query<CheckpointRow>(
    `update ${tables}.checkpoints c set epoch = epoch + 1 where topic = $1 and partition = $2 returning ${columns(tables)}`,
    [topic, partition],
  );
  return toCheckpoint(
    must(rows[0], `no checkpoint of partition ${partition} of ${topic} in schema ${schema}; start the pipeline first`),
  );
}

/** No timeout of PostgreSQL's own ends a transaction that waits for the data of a COPY. */
async function endFrozenBatch(db: Queryable, where: Where, partition: number): Promise<void> {
  await db.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where state = 'active' and clock_timestamp() - query_start > $2 * interval '1 millisecond' and (
       starts_with(query, $1) or (
         starts_with(query, $3) and strpos(split_part(substr(query, length($3)), '''', 1), $4) > 0
       )
     )`,
    [commitSqlStart({ ...where, partition }), FROZEN_AFTER_MS, sharedCommitSqlStart(where), `,${partition},`],
  );
}
