// Rewinding a partition: its messages are read again from an earlier offset, and a new run of its counts begins.
import type pg from 'pg';

import { assert, must } from '../pipeline/ensure.ts';
import { parseOffset } from '../pipeline/offset.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { RewindRefusedError } from '../pipeline/rewind-target.ts';
import { holdingCheckpoint } from './checkpoints.ts';
import { quoteSchema } from './schema-name.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/** `why`: one sentence for people, kept with the run that ends. */
export type RewindInput = { readonly partition: number; readonly toOffset: number; readonly why: string };

/**
 * `run` is the present one, which begins at `toOffset`. `fromOffset`: where the partition stood; `reachedOffset`: the furthest
 * that any run has come. `isNew` false: the partition stood there already with nothing read, and nothing was changed.
 */
export type Rewound = {
  readonly partition: number;
  readonly run: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reachedOffset: number;
  readonly isNew: boolean;
};

/** The offset lies behind everything that was read: to go there would skip messages. */
export class RewindAheadError extends RewindRefusedError {
  override readonly name = 'RewindAheadError';
}

/**
 * Moves a partition back, in one transaction under the checkpoint row: the epoch grows, so that no lease of before can commit,
 * the present counts become a row of checkpoint_runs, and the next run begins at `toOffset` with none. The watermark stays.
 * Also moves forward, as far as an earlier run has come. Repeating it changes nothing. Throws RewindAheadError beyond that.
 */
export async function rewindPartition(pool: pg.Pool, where: Where, input: RewindInput): Promise<Rewound> {
  const { partition, toOffset } = input;
  assert(Number.isSafeInteger(toOffset) && toOffset >= 0, `${toOffset} is not an offset to rewind to.`);
  return await holdingCheckpoint(pool, { ...where, partition }, async (client) => {
    const before = await lockPosition(client, where, partition);
    const { run, fromOffset, reachedOffset } = before;
    const present = { partition, run, fromOffset, toOffset, reachedOffset };
    if (before.firstOffset === toOffset && fromOffset === toOffset) return { ...present, isNew: false };
    if (toOffset > reachedOffset) {
      throw new RewindAheadError(
        `Partition ${partition} of ${where.topic} was read up to offset ${reachedOffset}: to go on at ${toOffset} would skip messages that nobody has read; name an offset up to ${reachedOffset}.`,
      );
    }
    await beginRun(client, where, input);
    return { ...present, run: run + 1, isNew: true };
  });
}

type PositionRow = { run: number; first_offset: string; next_offset: string; reached_offset: string };
type Position = Pick<Rewound, 'run' | 'fromOffset' | 'reachedOffset'> & { readonly firstOffset: number };

async function lockPosition(client: pg.PoolClient, { schema, topic }: Where, partition: number): Promise<Position> {
  const tables = quoteSchema(schema);
  const { rows } = await client.query<PositionRow>(
    `select run, first_offset, next_offset, greatest(next_offset, (
         select max(r.next_offset) from ${tables}.checkpoint_runs r where r.topic = c.topic and r.partition = c.partition
       )) as reached_offset
       from ${tables}.checkpoints c where topic = $1 and partition = $2 for update`,
    [topic, partition],
  );
  const none = `no checkpoint of partition ${partition} of ${topic} in schema ${schema}; start the pipeline first`;
  const row = must(rows[0], none);
  return {
    run: row.run,
    firstOffset: parseOffset(row.first_offset),
    fromOffset: parseOffset(row.next_offset),
    reachedOffset: parseOffset(row.reached_offset),
  };
}

async function beginRun(client: pg.PoolClient, { schema, topic }: Where, input: RewindInput): Promise<void> {
  const { partition, toOffset, why } = input;
  const tables = quoteSchema(schema);
  const kept =
    'topic, partition, run, first_offset, next_offset, recorded, duplicate, late, rejected, rejected_again, skipped';
  await client.query(
    `insert into ${tables}.checkpoint_runs (${kept}, why)
     select ${kept}, $3 from ${tables}.checkpoints where topic = $1 and partition = $2`,
    [topic, partition, why],
  );
  await client.query(
    `update ${tables}.checkpoints
        set run = run + 1, epoch = epoch + 1, first_offset = $3, next_offset = $3, recorded = 0, duplicate = 0, late = 0,
            rejected = 0, rejected_again = 0, skipped = 0, committed_at = clock_timestamp()
      where topic = $1 and partition = $2`,
    [topic, partition, toOffset],
  );
}
