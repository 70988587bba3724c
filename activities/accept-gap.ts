// Accepts that what Kafka no longer holds of a partition is lost, so that its ingestion can go on behind it (guarantee 8).
import type pg from 'pg';

import { OffsetBeyondEndError } from '../kafka/failures.ts';
import { partitionOffsets } from '../kafka/topics.ts';
import { must } from '../pipeline/ensure.ts';
import type { AcceptedGap } from '../pipeline/lost-range.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { acceptGap } from '../postgres/gaps.ts';
import { toFailure } from './failures.ts';

export type AcceptGapDeps = { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] };

export type AcceptGapInput = { readonly spec: PipelineSpec; readonly partition: number };

/**
 * The activity `acceptGap`. The gap reaches to where the log starts now: that may lie behind what was seen when the partition
 * stopped, and what is gone is gone. An attempt whose outcome got lost is told the gap that it recorded. Fails with type
 * `LostRange`, finally, when the log ends before the checkpoint: no gap is accepted then.
 */
export const createAcceptGap =
  ({ pool, kafkaBrokers }: AcceptGapDeps) =>
  async ({ spec, partition }: AcceptGapInput): Promise<AcceptedGap> => {
    const { topic } = spec;
    try {
      const logs = await partitionOffsets({ brokers: kafkaBrokers, topic });
      const log = must(
        logs.find((one) => one.partition === partition),
        `partition ${partition} of topic ${topic} in Kafka; check that the topic and the broker are the right ones`,
      );
      const { gap, nextOffset } = await acceptGap(pool, spec, { partition, logStartOffset: log.logStartOffset });
      if (nextOffset > log.endOffset) {
        throw new OffsetBeyondEndError({ topic, partition, wanted: nextOffset, logEnd: log.endOffset });
      }
      const { fromOffset, toOffset } = gap ?? { fromOffset: nextOffset, toOffset: nextOffset };
      return {
        partition,
        fromOffset: formatOffset(fromOffset),
        toOffset: formatOffset(toOffset),
        lost: formatOffset(toOffset - fromOffset),
      };
    } catch (error) {
      throw toFailure(error);
    }
  };
