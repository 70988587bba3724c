// Micro-batches of a test's own making, committed over leases that begin and end when the test says so.
import { Client } from 'pg';
import { afterAll } from 'vitest';

import type { Checkpoint } from '../../pipeline/checkpoint.ts';
import { must } from '../../pipeline/ensure.ts';
import type { Message } from '../../pipeline/message.ts';
import { formMicroBatch } from '../../pipeline/micro-batch.ts';
import type { MicroBatch } from '../../pipeline/micro-batch.ts';
import { checkPartitions } from '../../pipeline/check-partitions.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { RecentIdentities } from '../../pipeline/recent-identities.ts';
import { BatchCommitter } from '../../postgres/batch-committer.ts';
import type { Committed } from '../../postgres/batch-committer.ts';
import { readRuns } from '../../postgres/checkpoint-runs.ts';
import { ensureCheckpoint, readCheckpoint, takeLease } from '../../postgres/checkpoints.ts';
import { clientConfig } from '../../postgres/pool.ts';
import type { SharedCommits } from '../../postgres/shared-commits.ts';
import { countPartitionRows } from '../../postgres/verify-partitions.ts';
import type { WindowedPipeline } from './windowed-pipeline.ts';

const clients: Client[] = [];

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
});

export type HeldPartition = {
  readonly client: Client;
  /** One micro-batch of these messages, from the first one's offset (or `from`) to behind the last one's (or `to`). */
  commit(messages: readonly Message[], bounds?: { from?: number; to?: number }): Promise<Committed>;
};

/** Takes the lease of a partition, whose checkpoint begins at 0 unless it is there. `shared`: commits with other partitions. */
export async function holdPartition(
  { url, pool, spec }: WindowedPipeline,
  partition = 0,
  shared: Pick<SharedCommits, 'commit'> | null = null,
): Promise<HeldPartition> {
  await ensureCheckpoint(pool, spec, { partition, firstOffset: 0 });
  const { epoch, reachedOffset } = await takeLease(pool, spec, partition);
  const client = new Client(clientConfig({ url }));
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  const committer = new BatchCommitter(client, { spec, partition, epoch, reachedOffset }, shared);
  return {
    client,
    commit: (messages, bounds) => committer.commit(committer.prepare(microBatch(messages, bounds))),
  };
}

/** A batch as a chain of commits forms its first one: nothing is remembered from before. */
export function microBatch(
  messages: readonly Message[],
  { from = messages[0]?.offset ?? 0, to = (messages.at(-1)?.offset ?? -1) + 1 } = {},
): MicroBatch {
  const judge = (message: Message) => parseMessage(message, { maxFutureMs: 300_000, retentionMs: null });
  return formMicroBatch({ messages, fromOffset: from, nextOffset: to }, judge, new RecentIdentities());
}

export async function checkpointOf({ pool, spec }: WindowedPipeline, partition = 0): Promise<Checkpoint> {
  return must(await readCheckpoint(pool, spec, partition), `the checkpoint of partition ${partition}`);
}

/** The checks of every run that do not hold, by name, with their differences. */
export async function brokenChecks({ pool, spec }: WindowedPipeline): Promise<Record<string, number>> {
  const { checks } = checkPartitions(await readRuns(pool, spec), await countPartitionRows(pool, spec));
  return Object.fromEntries(
    checks.flatMap(({ name, differences }) => (differences > 0 ? [[name, differences] as const] : [])),
  );
}

export type LetterRow = {
  readonly id: number;
  readonly kafka_partition: number;
  readonly kafka_offset: string;
  readonly reason: string;
  readonly status: string;
  readonly attempt: number;
  readonly parent: number | null;
  readonly replay: string | null;
  readonly note: string | null;
  readonly event_id: string | null;
  readonly event_at: string | null;
  readonly is_closed: boolean;
};

/** All letters, by id. */
export async function lettersOf({ pool, schema }: WindowedPipeline): Promise<LetterRow[]> {
  const { rows } = await pool.query<LetterRow>(
    `select id::int, kafka_partition, kafka_offset, reason, status, attempt, parent::int, replay, note, event_id,
       to_char(event_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as event_at, closed_at is not null as is_closed
       from ${schema}.dead_letters order by id`,
  );
  return rows;
}
