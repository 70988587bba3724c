// What people call the workflows, for sentences about them.
import { generatorId, partitionId, pipelineId, replayId, reprocessId, windowsId } from '../pipeline/ids.ts';
import type { Target } from './temporal-control.ts';

/** The workflow `runPipeline` of a topic. */
export const pipelineTarget = (topic: string): Target => ({
  id: pipelineId(topic),
  title: `The pipeline of topic ${topic}`,
  startHint: '`weir pipeline start` starts it',
});

/** The workflow `ingestPartition` of one partition. */
export const partitionTarget = (topic: string, partition: number): Target => ({
  id: partitionId(topic, partition),
  title: `The ingestion of partition ${partition} of topic ${topic}`,
  startHint: '`weir partition list` names the partitions, `weir pipeline start` starts them',
});

/** The workflow `closeWindows` of a topic. */
export const windowsTarget = (topic: string): Target => ({
  id: windowsId(topic),
  title: `The closing of windows of topic ${topic}`,
  startHint: '`weir pipeline start` starts it with its pipeline',
});

/** The workflow `generateEvents` of this name. */
export const generatorTarget = (name: string): Target => ({
  id: generatorId(name),
  title: `The generator ${name}`,
  startHint: '`weir generator start` starts one',
});

/** The workflow `reprocess` with this id. */
export const reprocessTarget = (id: string): Target => ({
  id: reprocessId(id),
  title: `The reprocess ${id}`,
  startHint: '`weir reprocess list` says which run, and what came of those that are over',
});

/** The workflow `replayDeadLetters` with this id. */
export const replayTarget = (id: string): Target => ({
  id: replayId(id),
  title: `The replay ${id}`,
  startHint: '`weir dead-letters replays` says which run, and what came of those that are over',
});
