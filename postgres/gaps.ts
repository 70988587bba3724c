// The table `gaps`: offsets that Kafka no longer held when they were to be read, and that somebody accepted to lose.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { parseOffset } from '../pipeline/offset.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { holdingCheckpoint } from './checkpoints.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/** One row of `gaps`: the offsets `[fromOffset, toOffset)` of a partition's run. `acceptedAtMs` is PostgreSQL's clock. */
export type Gap = {
  readonly partition: number;
  readonly run: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly acceptedAtMs: number;
};

type GapRow = { partition: number; run: number; from_offset: string; to_offset: string; accepted_at_ms: number };

const COLUMNS = `partition, run, from_offset, to_offset, (extract(epoch from accepted_at) * 1000)::float8 as accepted_at_ms`;

const toGap = (row: GapRow): Gap => ({
  partition: row.partition,
  run: row.run,
  fromOffset: parseOffset(row.from_offset),
  toOffset: parseOffset(row.to_offset),
  acceptedAtMs: row.accepted_at_ms,
});

/** All gaps of the topic, by partition, run and offset. */
export async function readGaps(db: Queryable, { schema, topic }: Where): Promise<Gap[]> {
  const { rows } = await db.query<GapRow>(
    `select ${COLUMNS} from ${quoteSchema(schema)}.gaps where topic = $1 order by partition, run, from_offset`,
    [topic],
  );
  return rows.map(toGap);
}

/**
 * `gap` null: nothing is missing, and nothing was accepted right before `nextOffset`. `isNew`: this call recorded the gap;
 * otherwise an earlier one did (whose answer may have been lost), and nothing was changed.
 */
export type GapAcceptance = { readonly gap: Gap | null; readonly isNew: boolean; readonly nextOffset: number };

/**
 * Accepts that the partition's offsets from its checkpoint up to `logStartOffset` are lost, in one transaction under the
 * checkpoint row: the epoch grows, so that no lease of before can commit, the gap is recorded, and the checkpoint goes on at
 * the log start. Repeating it changes nothing, nor does a checkpoint that the log still holds.
 */
export async function acceptGap(
  pool: pg.Pool,
  where: Where,
  { partition, logStartOffset }: { readonly partition: number; readonly logStartOffset: number },
): Promise<GapAcceptance> {
  const tables = quoteSchema(where.schema);
  return await holdingCheckpoint(pool, { ...where, partition }, async (client) => {
    const { rows } = await client.query<{ run: number; next_offset: string }>(
      `select run, next_offset from ${tables}.checkpoints where topic = $1 and partition = $2 for update`,
      [where.topic, partition],
    );
    const none = `no checkpoint of partition ${partition} of ${where.topic} in schema ${where.schema}; start the pipeline first`;
    const { run, next_offset } = must(rows[0], none);
    const fromOffset = parseOffset(next_offset);
    if (logStartOffset <= fromOffset) {
      const gap = await gapBefore(client, where, { partition, run, nextOffset: fromOffset });
      return { gap, isNew: false, nextOffset: fromOffset };
    }
    await client.query(
      `update ${tables}.checkpoints set epoch = epoch + 1, next_offset = $3, committed_at = clock_timestamp()
        where topic = $1 and partition = $2`,
      [where.topic, partition, logStartOffset],
    );
    const { rows: made } = await client.query<GapRow>(
      `insert into ${tables}.gaps (topic, partition, run, from_offset, to_offset) values ($1, $2, $3, $4, $5) returning ${COLUMNS}`,
      [where.topic, partition, run, fromOffset, logStartOffset],
    );
    return { gap: toGap(must(made[0], 'the gap that was inserted')), isNew: true, nextOffset: logStartOffset };
  });
}

async function gapBefore(
  db: Queryable,
  { schema, topic }: Where,
  { partition, run, nextOffset }: { partition: number; run: number; nextOffset: number },
): Promise<Gap | null> {
  const { rows } = await db.query<GapRow>(
    `select ${COLUMNS} from ${quoteSchema(schema)}.gaps where topic = $1 and partition = $2 and run = $3 and to_offset = $4`,
    [topic, partition, run, nextOffset],
  );
  return rows[0] ? toGap(rows[0]) : null;
}
