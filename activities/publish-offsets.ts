// Copies the checkpoints to Kafka as offsets of one group, again and again: hints for Kafka's own tools, never read back.
import type pg from 'pg';

import { openTopicObserver } from '../kafka/topics.ts';
import { CONSUMER_GROUP } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { toFailure } from './failures.ts';
import { keepLooking } from './lease.ts';
import type { LeaseEnd } from './lease.ts';

export type PublishOffsetsDeps = { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] };

export type PublishOffsetsInput = { readonly spec: PipelineSpec; readonly leaseMs: number; readonly everyMs: number };

/** The activity `publishOffsets`; returns how often the offsets had moved and were published. */
export const createPublishOffsets =
  ({ pool, kafkaBrokers }: PublishOffsetsDeps) =>
  async (input: PublishOffsetsInput): Promise<{ readonly published: number; readonly reason: LeaseEnd }> => {
    const { spec } = input;
    try {
      const observer = await openTopicObserver({ brokers: [...kafkaBrokers], topic: spec.topic });
      try {
        let published = 0;
        let last = '';
        const look = async (): Promise<null> => {
          const checkpoints = await readCheckpoints(pool, spec);
          const offsets = checkpoints.map(({ partition, nextOffset }) => ({ partition, offset: nextOffset }));
          const present = JSON.stringify(offsets);
          if (present === last || offsets.length === 0) return null;
          await observer.publishOffsets(CONSUMER_GROUP, offsets);
          last = present;
          published += 1;
          return null;
        };
        const reason = await keepLooking(input, look, () => ({ published }));
        return { published, reason: reason ?? 'lease-over' };
      } finally {
        await observer.close();
      }
    } catch (error) {
      throw toFailure(error);
    }
  };
