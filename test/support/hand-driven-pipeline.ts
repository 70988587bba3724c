// A pipeline without workflows: the same ingestion, closing and amending, each done when the test says so.
import { Client } from 'pg';

import { CommitChain } from '../../activities/commit-chain.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { openMetrics } from '../../observability/metrics.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import type { SessionRules } from '../../pipeline/session.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { ensureCheckpoint, takeLease } from '../../postgres/checkpoints.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { clientConfig } from '../../postgres/pool.ts';
import type { TestDatabase } from './database.ts';

export type HandDrivenPipeline = {
  readonly spec: PipelineSpec;
  /** Reads every partition to its present end. */
  ingest(): Promise<void>;
  close(throughMs: number): Promise<void>;
  amend(): Promise<void>;
};

/** A pipeline of `topic` into the database's schema; its checkpoints begin at the log starts. */
export async function handDrivenPipeline(
  { url, schema, pool }: TestDatabase,
  { brokers, topic, rules }: { brokers: readonly string[]; topic: string; rules?: SessionRules },
): Promise<HandDrivenPipeline> {
  const spec: PipelineSpec = {
    topic,
    schema,
    latenessMs: 10_000,
    idleAfterMs: 1000,
    maxFutureMs: 300_000,
    amendHorizonMs: 7_200_000,
    amendIntervalMs: 1000,
    retentionMs: null,
    ...(rules && { sessionGapMs: rules.gapMs, sessionMaxMs: rules.maxMs }),
  };
  for (const { partition, logStartOffset } of await partitionOffsets({ brokers, topic })) {
    await ensureCheckpoint(pool, spec, { partition, firstOffset: logStartOffset });
  }
  const metrics = openMetrics({ processMetrics: false }).ingest;
  const ingestPartition = async (partition: number, endOffset: number): Promise<void> => {
    const checkpoint = await takeLease(pool, spec, partition);
    const client = new Client(clientConfig({ url }));
    await client.connect();
    const reader = await openPartitionReader({
      brokers: [...brokers],
      topic,
      partition,
      fromOffset: checkpoint.nextOffset,
    });
    try {
      let nextOffset = checkpoint.nextOffset;
      const chain = new CommitChain({ spec, checkpoint, reader, client, metrics });
      await chain.run(
        () => nextOffset < endOffset,
        (progress) => {
          nextOffset = progress.nextOffset;
        },
      );
    } finally {
      await reader.close();
      await client.end();
    }
  };
  return {
    spec,
    ingest: async () => {
      for (const { partition, endOffset } of await partitionOffsets({ brokers, topic })) {
        await ingestPartition(partition, endOffset);
      }
    },
    close: async (throughMs) => {
      await moveClosedThrough(pool, spec, throughMs);
      await closeNextPanes(pool, spec, { throughMs });
    },
    amend: async () => {
      await amendWindows(pool, spec);
    },
  };
}
