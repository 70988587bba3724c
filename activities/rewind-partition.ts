// Sets a partition back, so that its next lease reads from an earlier message on; what was read before becomes history.
import type pg from 'pg';

import { partitionOffsetsAt } from '../kafka/topics.ts';
import { must } from '../pipeline/ensure.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { RewindRefusedError, offsetOf, rewindRefusal } from '../pipeline/rewind-target.ts';
import type { RewindRequest, RewoundPartition } from '../pipeline/rewind-target.ts';
import { readCheckpoint } from '../postgres/checkpoints.ts';
import { rewindPartition } from '../postgres/rewind.ts';
import { toFailure } from './failures.ts';

export type RewindDeps = { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] };

export type RewindInput = RewindRequest & { readonly spec: PipelineSpec; readonly partition: number };

/**
 * The activity `rewindPartition`. To be run while no lease does. An attempt whose outcome got lost finds the partition where it
 * put it and changes nothing. Fails with type `RewindRefused`, finally, where the partition cannot be read from the target.
 */
export const createRewindPartition =
  ({ pool, kafkaBrokers }: RewindDeps) =>
  async ({ spec, partition, target, why }: RewindInput): Promise<RewoundPartition> => {
    const { topic } = spec;
    try {
      const logs = await partitionOffsetsAt({ brokers: kafkaBrokers, topic }, target);
      const log = must(
        logs.find((one) => one.partition === partition),
        `partition ${partition} of topic ${topic} in Kafka; check that the topic and the broker are the right ones`,
      );
      const before = must(
        await readCheckpoint(pool, spec, partition),
        `no checkpoint of partition ${partition} of ${topic} in schema ${spec.schema}; start the pipeline first`,
      );
      const reachedOffset = Math.max(before.reachedOffset, before.nextOffset);
      const toOffset = offsetOf(target, { ...log, reachedOffset });
      const refusal = rewindRefusal(toOffset, { ...log, topic, reachedOffset });
      if (refusal !== null) throw new RewindRefusedError(refusal);
      const rewound = await rewindPartition(pool, spec, { partition, toOffset, why });
      return {
        partition,
        run: rewound.run,
        fromOffset: formatOffset(rewound.fromOffset),
        toOffset: formatOffset(rewound.toOffset),
        reachedOffset: formatOffset(rewound.reachedOffset),
        isNew: rewound.isNew,
      };
    } catch (error) {
      throw toFailure(error);
    }
  };
