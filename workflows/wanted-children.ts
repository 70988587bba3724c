// Which workflows a pipeline keeps alive, under which ids, and how each is started.
import { CancellationScope, startChild } from '@temporalio/workflow';

import { offsetsId, partitionId, windowsId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { ABANDONED } from './children.ts';
import type { Wanted } from './children.ts';
import { closeWindows } from './close-windows.ts';
import { commitOffsets } from './commit-offsets.ts';
import { ingestPartition } from './ingest-partition.ts';
import { runOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Pipeline = { readonly spec: PipelineSpec; readonly options?: Partial<RunOptions> };

/** One `ingestPartition` per partition (paused from the start when the pipeline is), one `closeWindows`, one `commitOffsets`. */
export function wantedChildren(
  { spec, options }: Pipeline,
  { partitions, paused }: { partitions: readonly number[]; paused: boolean },
): Wanted[] {
  const { taskQueues } = runOptions(options);
  const input = { spec, ...(options ? { options } : {}) };
  const ingest = partitions.map((partition) =>
    wanted(partitionId(spec.topic, partition), (workflowId) =>
      startChild(ingestPartition, {
        ...ABANDONED,
        workflowId,
        taskQueue: taskQueues.ingest,
        staticSummary: `partition ${partition} of ${spec.topic}`,
        args: [{ ...input, partition, pausedByPipeline: paused }],
      }),
    ),
  );
  const windows = wanted(windowsId(spec.topic), (workflowId) =>
    startChild(closeWindows, {
      ...ABANDONED,
      workflowId,
      taskQueue: taskQueues.windows,
      staticSummary: `windows of ${spec.topic}`,
      args: [input],
    }),
  );
  const offsets = wanted(offsetsId(spec.topic), (workflowId) =>
    startChild(commitOffsets, {
      ...ABANDONED,
      workflowId,
      taskQueue: taskQueues.windows,
      staticSummary: `Kafka offsets of ${spec.topic}`,
      args: [input],
    }),
  );
  return [...ingest, windows, offsets];
}

/** Started outside of the pipeline's cancellation: when the pipeline is cancelled it ends its children one by one, as stop does. */
function wanted(id: string, start: (id: string) => ReturnType<Wanted['start']>): Wanted {
  return { id, start: async () => await CancellationScope.nonCancellable(async () => await start(id)) };
}
