// Which workflows a pipeline keeps alive, under which ids, and how each is started.
import { CancellationScope, startChild } from '@temporalio/workflow';

import { lettersId, offsetsId, partitionId, windowsId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { ABANDONED } from './children.ts';
import type { Wanted } from './children.ts';
import { lettersWords, offsetsWords, partitionWords, windowsWords } from './child-words.ts';
import { closeWindows } from './close-windows.ts';
import { commitOffsets } from './commit-offsets.ts';
import { ingestPartition } from './ingest-partition.ts';
import { publishLetters } from './publish-letters.ts';
import { runOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Pipeline = { readonly spec: PipelineSpec; readonly options?: Partial<RunOptions> };

/** `publishesLetters`: false in runs that an older build began. */
type Now = { readonly partitions: readonly number[]; readonly paused: boolean; readonly publishesLetters: boolean };

/**
 * One `ingestPartition` per partition, one `closeWindows`, one `commitOffsets`, one `publishLetters`. Those that rest with the
 * pipeline are paused from the start when it is.
 */
export function wantedChildren({ spec, options }: Pipeline, { partitions, paused, publishesLetters }: Now): Wanted[] {
  const { taskQueues } = runOptions(options);
  const input = { spec, ...(options ? { options } : {}) };
  const ingest = partitions.map((partition) =>
    wanted(partitionId(spec.topic, partition), (workflowId) =>
      startChild(ingestPartition, {
        ...ABANDONED,
        workflowId,
        taskQueue: taskQueues.ingest,
        ...partitionWords(spec.topic, partition),
        args: [{ ...input, partition, pausedByPipeline: paused }],
      }),
    ),
  );
  const windows = wanted(windowsId(spec.topic), (workflowId) =>
    startChild(closeWindows, {
      ...ABANDONED,
      workflowId,
      taskQueue: taskQueues.windows,
      ...windowsWords(spec.topic),
      args: [input],
    }),
  );
  const offsets = wanted(offsetsId(spec.topic), (workflowId) =>
    startChild(commitOffsets, {
      ...ABANDONED,
      workflowId,
      taskQueue: taskQueues.windows,
      ...offsetsWords(spec.topic),
      args: [input],
    }),
  );
  const letters = wanted(lettersId(spec.topic), (workflowId) =>
    startChild(publishLetters, {
      ...ABANDONED,
      workflowId,
      taskQueue: taskQueues.windows,
      ...lettersWords(spec.topic),
      args: [{ ...input, pausedByPipeline: paused }],
    }),
  );
  return [...ingest, windows, offsets, ...(publishesLetters ? [letters] : [])];
}

/** Started outside of the pipeline's cancellation: when the pipeline is cancelled it ends its children one by one, as stop does. */
function wanted(id: string, start: (id: string) => ReturnType<Wanted['start']>): Wanted {
  return { id, start: async () => await CancellationScope.nonCancellable(async () => await start(id)) };
}
