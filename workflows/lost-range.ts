// What a partition's workflow knows of its lost range, and how it lets people accept the loss.
//
// States: what is true, and what leaves it.
//   none        as far as anybody has looked, the log holds the next offset. A lease that says otherwise leads on.
//   gone        the log starts behind the next offset. Left by accepting the gap, or by looking again (resume).
//   beyond end  the log ends before the next offset, which no gap repairs. Left by looking again only.
import { ActivityFailure, ApplicationFailure, log, proxyActivities, setHandler } from '@temporalio/workflow';

import type { AcceptGapInput, createAcceptGap } from '../activities/accept-gap.ts';
import type { AcceptedGap, LostOffsets, LostRange } from '../pipeline/lost-range.ts';
import { acceptGapUpdate } from './commands.ts';
import type { PartitionPhase } from './commands.ts';
import { failureSentence, failureType } from './failure-series.ts';

/** The lost range as it goes from one run to the next. Runs of older builds carried the sentence alone. */
export type CarriedLostRange = { readonly sentence: string; readonly range: LostRange | null };

type StoppedPartition = AcceptGapInput & { readonly phase: PartitionPhase };

type Listening = { readonly of: () => StoppedPartition; readonly onAccepted: (gap: AcceptedGap) => void };

const BEYOND_REPAIR = 'accepting a gap cannot repair this:';

export class KnownLostRange {
  private known: CarriedLostRange | null;
  private accepting: Promise<AcceptedGap> | null = null;
  private readonly taskQueue: string;

  /** `taskQueue`: whose workers accept gaps. */
  constructor(taskQueue: string, carried: CarriedLostRange | string | null = null) {
    this.taskQueue = taskQueue;
    this.known = typeof carried === 'string' ? { sentence: carried, range: null } : carried;
  }

  get carried(): CarriedLostRange | null {
    return this.known;
  }

  /** What is gone, for people; null while nothing is known to be. */
  get sentence(): string | null {
    return this.known?.sentence ?? null;
  }

  /** The offsets that are gone; null when none are, or when another thing keeps the log from holding the next one. */
  get offsets(): LostOffsets | null {
    const range = this.known?.range;
    if (range?.kind !== 'gone') return null;
    const { fromOffset, toOffset } = range;
    return { fromOffset, toOffset, lost: String(Number(toOffset) - Number(fromOffset)) };
  }

  /** Whether the failure tells of a lost range, which is then known. */
  learn(failure: unknown): boolean {
    if (failureType(failure) !== 'LostRange') return false;
    this.known = { sentence: failureSentence(failure), range: rangeOf(failure) };
    return true;
  }

  /** So that the next lease looks again. */
  forget(): void {
    this.known = null;
  }

  /** Hears the Update `acceptGap`; `onAccepted` comes before the answer. Whoever asks meanwhile gets the same answer. */
  listen({ of, onAccepted }: Listening): void {
    const validator = (): void => {
      const refusal = this.refusal(of());
      if (refusal !== null) throw new Error(refusal);
    };
    const accept = async (): Promise<AcceptedGap> => {
      this.accepting ??= this.accept(of()).finally(() => {
        this.accepting = null;
      });
      const gap = await this.accepting;
      onAccepted(gap);
      return gap;
    };
    setHandler(acceptGapUpdate, accept, { validator });
  }

  /** Why the loss cannot be accepted now, in one sentence; null when it can. */
  private refusal({ partition, phase }: StoppedPartition): string | null {
    if (this.known === null || phase !== 'stopped: lost range') {
      return `partition ${partition} is ${phase}, and only one that has stopped on a lost range has something to accept; "weir partition list" shows where it stands`;
    }
    if (this.known.range?.kind === 'beyond-end') return `${BEYOND_REPAIR} ${this.known.sentence}`;
    return null;
  }

  private async accept({ spec, partition }: StoppedPartition): Promise<AcceptedGap> {
    const { acceptGap } = proxyActivities<{ acceptGap: ReturnType<typeof createAcceptGap> }>({
      taskQueue: this.taskQueue,
      startToCloseTimeout: '15 seconds',
      // Somebody waits for the answer, and nothing may be accepted long after they have gone.
      scheduleToCloseTimeout: '30 seconds',
      summary: `accept the lost range of partition ${partition}`,
    });
    try {
      const gap = await acceptGap({ spec, partition });
      log.warn('Offsets are accepted as lost', { ...gap });
      this.known = null;
      return gap;
    } catch (failure) {
      const beyondEnd = this.learn(failure);
      const sentence = failureSentence(failure);
      throw ApplicationFailure.nonRetryable(
        beyondEnd ? `${BEYOND_REPAIR} ${sentence}` : sentence,
        failureType(failure),
      );
    }
  }
}

function rangeOf(failure: unknown): LostRange | null {
  const cause = failure instanceof ActivityFailure ? failure.cause : failure;
  const details: unknown = cause instanceof ApplicationFailure ? cause.details?.[0] : null;
  return isLostRange(details) ? details : null;
}

/** Histories of older builds have no such details. */
function isLostRange(details: unknown): details is LostRange {
  return typeof details === 'object' && details !== null && 'kind' in details;
}
