// What ingestPartition is started with, and what one of its runs hands to the next.
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Failures } from './commands.ts';
import type { CarriedLostRange } from './lost-range.ts';
import type { RunOptions } from './run-options.ts';

type Carried = {
  readonly lease: number;
  readonly nextOffset: string | null;
  readonly pausedByPerson: boolean;
  /** A sentence from runs of older builds. */
  readonly lostRange: CarriedLostRange | string | null;
  readonly failures: Failures;
  /** What the pipeline was last told; absent from runs of older builds. */
  readonly told?: string;
};

export type IngestPartitionInput = {
  readonly spec: PipelineSpec;
  readonly partition: number;
  readonly pausedByPipeline: boolean;
  readonly options?: Partial<RunOptions>;
  /** What a run hands to the one it continues as. */
  readonly carried?: Carried;
};
