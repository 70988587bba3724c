// Why a partition rests, and what its rest is called.
import type { PartitionPhase } from './commands.ts';

/** `lostRange`: the sentence of what is gone, null when nothing is. */
export type RestReasons = {
  readonly lostRange: string | null;
  readonly pausedByPerson: boolean;
  readonly pausedByPipeline: boolean;
};

export function mustRest({ lostRange, pausedByPerson, pausedByPipeline }: RestReasons): boolean {
  return lostRange !== null || pausedByPerson || pausedByPipeline;
}

export function restingPhase({ lostRange }: RestReasons): PartitionPhase {
  return lostRange === null ? 'paused' : 'stopped: lost range';
}

/** Differs whenever people should see another reason. */
export function whyResting(reasons: RestReasons): string {
  return `${restingPhase(reasons)} ${reasons.pausedByPerson ? 'by a person' : ''}`;
}

/** Whether no lease runs in this phase, nor will one until somebody asks for it. */
export function isResting(phase: PartitionPhase): boolean {
  return phase === 'paused' || phase === 'stopped: lost range' || phase === 'stopped';
}
