// Finds the partitions of the topic, and makes a checkpoint for each that has none.
import type pg from 'pg';

import { partitionOffsets } from '../kafka/topics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { ensureCheckpoint, readCheckpoints } from '../postgres/checkpoints.ts';
import { refuseRestored } from '../postgres/restored-schema.ts';
import { toFailure } from './failures.ts';

export type ListPartitionsDeps = { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] };

/**
 * The activity `listPartitions`. A new partition starts at its log start. Fails with type `ForeignSchema`, finally, when the
 * schema already holds another topic or was restored from a snapshot.
 */
export const createListPartitions =
  ({ pool, kafkaBrokers }: ListPartitionsDeps) =>
  async ({ spec }: { readonly spec: PipelineSpec }): Promise<{ readonly partitions: number[] }> => {
    try {
      await refuseRestored(pool, spec.schema);
      const offsets = await partitionOffsets({ brokers: [...kafkaBrokers], topic: spec.topic });
      const known = new Set((await readCheckpoints(pool, spec)).map(({ partition }) => partition));
      for (const { partition, logStartOffset } of offsets) {
        if (!known.has(partition)) await ensureCheckpoint(pool, spec, { partition, firstOffset: logStartOffset });
      }
      return { partitions: offsets.map(({ partition }) => partition).toSorted((left, right) => left - right) };
    } catch (error) {
      throw toFailure(error);
    }
  };
