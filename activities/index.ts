// Every activity, by the task queue whose workers run it; dependencies go in here and nowhere else.
import type pg from 'pg';

import type { LoopWatch } from '../observability/health-record.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { SharedCommits } from '../postgres/shared-commits.ts';
import { createAcceptGap } from './accept-gap.ts';
import { createAmendLate } from './amend-late.ts';
import { createAmendRange } from './amend-range.ts';
import { createAwaitOffsets } from './await-offsets.ts';
import { createAwaitOutcomes } from './await-outcomes.ts';
import { createAwaitWatermark } from './await-watermark.ts';
import { createCloseRange } from './close-range.ts';
import { createConsumePartition } from './consume-partition.ts';
import { createCountOutcomes } from './count-outcomes.ts';
import { createCountRevisions } from './count-revisions.ts';
import type { HeldLeases } from './held-leases.ts';
import { createListPartitions } from './list-partitions.ts';
import { createMoveClosed } from './move-closed.ts';
import { createPlanRebuild } from './plan-rebuild.ts';
import { createProduceEvents } from './produce-events.ts';
import { createPublishLetters } from './publish-letters.ts';
import { createPublishOffsets } from './publish-offsets.ts';
import { createRebuildRange } from './rebuild-range.ts';
import { createReplayLetters } from './replay-letters.ts';
import { createRewindPartition } from './rewind-partition.ts';

/** What activities work with. `pool` is shared by all of them; partitions open connections of their own beside it. */
export type ActivityDeps = {
  readonly pool: pg.Pool;
  readonly postgresUrl: string;
  readonly kafkaBrokers: readonly string[];
  /** The leases on partitions of this process; what spreads them looks here. */
  readonly held: HeldLeases;
  /** Where these leases commit small batches together. */
  readonly shared: SharedCommits;
  readonly metrics: Pick<Metrics, 'ingest' | 'close' | 'letters' | 'generator'>;
  readonly loops: LoopWatch;
};

/** The activities of one worker process, one group per task queue of pipeline/ids.ts. */
export function createActivities({ metrics, ...deps }: ActivityDeps) {
  const closing = { ...deps, metrics: metrics.close };
  return {
    ingest: {
      consumePartition: createConsumePartition({ ...deps, metrics: metrics.ingest }),
      acceptGap: createAcceptGap(deps),
      rewindPartition: createRewindPartition(deps),
    },
    windows: {
      listPartitions: createListPartitions(deps),
      publishOffsets: createPublishOffsets(deps),
      publishLetters: createPublishLetters({ ...deps, metrics: metrics.letters }),
      awaitWatermark: createAwaitWatermark(closing),
      moveClosed: createMoveClosed(closing),
      closeRange: createCloseRange(closing),
      amendLate: createAmendLate(closing),
      awaitOffsets: createAwaitOffsets(deps),
      planRebuild: createPlanRebuild(deps),
      amendRange: createAmendRange(closing),
      rebuildRange: createRebuildRange(closing),
      countRevisions: createCountRevisions(deps),
      replayLetters: createReplayLetters(deps),
      awaitOutcomes: createAwaitOutcomes(deps),
      countOutcomes: createCountOutcomes(deps),
    },
    generator: { produceEvents: createProduceEvents({ ...deps, metrics: metrics.generator }) },
  };
}
