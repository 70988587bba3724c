// What people and parents can say to the workflows, and the states that the workflows answer with (all plain JSON).
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

import type { Counts } from '../pipeline/checkpoint.ts';
import type { AcceptedGap, LostOffsets } from '../pipeline/lost-range.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { RewindRequest, RewoundPartition } from '../pipeline/rewind-target.ts';

/** A row of consecutive failures: how many, since when, and the sentence of the last one. */
export type Failures = { readonly count: number; readonly sinceMs: number | null; readonly message: string | null };

export type PartitionPhase =
  | 'starting'
  | 'ingesting'
  | 'backing-off'
  | 'rewinding'
  | 'paused'
  | 'stopped: lost range'
  | 'stopped';

/** State of one `ingestPartition`. `nextOffset` is where its last lease ended: PostgreSQL knows the present position. */
export type PartitionState = {
  readonly phase: PartitionPhase;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: string | null;
  /** Number of the newest lease of this partition, and when it began (epoch ms). */
  readonly lease: number;
  readonly leaseStartedMs: number | null;
  /** Counts of the last ended lease. */
  readonly lastCounts: Counts | null;
  /** The offsets that Kafka no longer holds, while the partition has stopped on them. */
  readonly lostRange: LostOffsets | null;
  readonly failures: Failures;
  readonly pausedByPerson: boolean;
  readonly pausedByPipeline: boolean;
  readonly message: string;
};

export type PipelinePhase = 'starting' | 'running' | 'pausing' | 'paused' | 'stopping' | 'stopped' | 'backing-off';

/** What a partition has last reported of itself to its pipeline. */
export type PartitionReport = {
  readonly partition: number;
  readonly phase: PartitionPhase;
  readonly pausedByPerson: boolean;
  readonly message: string;
};

/** State of `runPipeline`; `children`: the workflow ids that it keeps alive. */
export type PipelineState = {
  readonly phase: PipelinePhase;
  readonly topic: string;
  readonly paused: boolean;
  readonly partitions: readonly PartitionReport[];
  readonly children: readonly string[];
  readonly restarts: number;
  readonly failures: Failures;
  readonly message: string;
};

/** What one `closeWindow` wrote. */
export type ClosedWindows = { readonly windows: number; readonly panes: number; readonly events: number };

export type WindowsPhase = 'waiting' | 'closing' | 'amending' | 'backing-off' | 'stopped';

/** State of `closeWindows`. Times are epoch ms of event time; null before the first event. `lastClosed`: newest first. */
export type WindowsState = {
  readonly phase: WindowsPhase;
  readonly topic: string;
  readonly lowWatermarkMs: number | null;
  readonly closedThroughMs: number | null;
  readonly writtenThroughMs: number | null;
  /** Partition that holds the low watermark back, null when none does. */
  readonly heldBackBy: number | null;
  readonly lastClosed: readonly (ClosedWindows & { readonly fromMs: number | null; readonly throughMs: number })[];
  /** Event time up to which a child is writing panes and windows, null when none is. */
  readonly closingThroughMs: number | null;
  readonly amendedRows: number;
  /** `open` until somebody says endStream; `ending` until every window has closed; then `ended`. */
  readonly stream: 'open' | 'ending' | 'ended';
  readonly failures: Failures;
  readonly message: string;
};

/** State of `commitOffsets`. */
export type OffsetsState = {
  readonly phase: 'publishing' | 'backing-off' | 'stopped';
  readonly topic: string;
  readonly failures: Failures;
  readonly message: string;
};

/** Offset (decimal string) by partition number at which each partition of a bounded run ends. */
export type EndOffsets = Readonly<Record<string, string>>;

export const pausePipelineUpdate = defineUpdate<PipelineState>('pause');
export const resumePipelineUpdate = defineUpdate<PipelineState>('resume');
export const stopPipelineUpdate = defineUpdate<PipelineState>('stop');
export const pausePartitionUpdate = defineUpdate<PartitionState>('pause');
export const resumePartitionUpdate = defineUpdate<PartitionState>('resume');
/** Refused unless the partition has stopped on a lost range. */
export const acceptGapUpdate = defineUpdate<AcceptedGap>('acceptGap');
/** Ends the lease in hand first. Refused where the partition cannot be read from there. */
export const rewindPartitionUpdate = defineUpdate<RewoundPartition, [RewindRequest]>('rewind');
export const endStreamUpdate = defineUpdate<WindowsState, [{ endOffsets: EndOffsets }]>('endStream');

export const pipelineStateQuery = defineQuery<PipelineState>('state');
export const partitionStateQuery = defineQuery<PartitionState>('state');
export const windowsStateQuery = defineQuery<WindowsState>('state');
export const offsetsStateQuery = defineQuery<OffsetsState>('state');

/** From the pipeline to a child that was already running when the pipeline found it: work by this from now on. */
export const configureSignal = defineSignal<[Configuration]>('configure');
/** From the pipeline to its partitions: pause or go on, whatever a person has asked of the single partition. */
export const pipelinePausedSignal = defineSignal<[boolean]>('pipelinePaused');
/** From the pipeline to its children: end cleanly. */
export const stopSignal = defineSignal('stopChild');
/** From a partition to its pipeline, when it pauses, goes on or stops. */
export const partitionReportSignal = defineSignal<[PartitionReport]>('partitionReport');

export type Configuration = { readonly spec: PipelineSpec; readonly pausedByPipeline: boolean };
