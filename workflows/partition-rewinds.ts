// Rewinds that people have asked a partition for. Each is carried out by the partition's own loop, while no lease runs.
//
// States of a rewind: what is true, and what leaves it.
//   waiting      asked for; the lease in hand is ended. The loop takes the first one that waits.
//   carried out  the activity has answered, or failed; whoever asked gets that answer.
import { ApplicationFailure, condition, isCancellation, log, proxyActivities, setHandler } from '@temporalio/workflow';

import type { createRewindPartition } from '../activities/rewind-partition.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { badRewindRequest } from '../pipeline/rewind-target.ts';
import type { RewindRequest, RewoundPartition } from '../pipeline/rewind-target.ts';
import { rewindPartitionUpdate } from './commands.ts';
import { failureSentence, failureType } from './failure-series.ts';

type Outcome = { readonly rewound: RewoundPartition } | { readonly failure: ApplicationFailure };
type Rewind = { readonly request: RewindRequest; outcome: Outcome | null };

type Listening = {
  readonly isStopping: () => boolean;
  /** To end the lease or the wait in hand. */
  readonly onAsked: () => void;
};

const STOPPING = 'it stops with its pipeline; "weir pipeline start" starts both again, and then it can be rewound';

export class PartitionRewinds {
  private readonly waiting: Rewind[] = [];
  private readonly taskQueue: string;

  /** `taskQueue`: whose workers rewind. */
  constructor(taskQueue: string) {
    this.taskQueue = taskQueue;
  }

  get areWanted(): boolean {
    return this.waiting.length > 0;
  }

  /** Hears the Update `rewind`. */
  listen({ isStopping, onAsked }: Listening): void {
    const validator = (request: RewindRequest): void => {
      const why = badRewindRequest(request) ?? (isStopping() ? STOPPING : null);
      if (why !== null) throw new Error(why);
    };
    const rewind = async (request: RewindRequest): Promise<RewoundPartition> => {
      const asked: Rewind = { request, outcome: null };
      this.waiting.push(asked);
      onAsked();
      await condition(() => asked.outcome !== null);
      return answerOf(asked);
    };
    setHandler(rewindPartitionUpdate, rewind, { validator });
  }

  /** Carries out the first rewind that waits, while no lease runs; what it did, or null when it was refused or failed. */
  async carryOut(of: { readonly spec: PipelineSpec; readonly partition: number }): Promise<RewoundPartition | null> {
    const [first] = this.waiting;
    if (first === undefined) return null;
    const { rewindPartition } = proxyActivities<{ rewindPartition: ReturnType<typeof createRewindPartition> }>({
      taskQueue: this.taskQueue,
      startToCloseTimeout: '15 seconds',
      // Somebody waits for the answer, and the partition reads nothing meanwhile.
      scheduleToCloseTimeout: '30 seconds',
      summary: `rewind partition ${of.partition}`,
    });
    try {
      const rewound = await rewindPartition({ ...of, ...first.request });
      if (rewound.isNew) log.warn('A partition was rewound', { ...rewound, why: first.request.why });
      this.answer(first, { rewound });
      return rewound;
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      this.answer(first, { failure: finalFailure(failureSentence(failure), failureType(failure)) });
      return null;
    }
  }

  /** The partition stops: whoever still waits is told. */
  end(): void {
    for (let [first] = this.waiting; first !== undefined; [first] = this.waiting) {
      this.answer(first, { failure: finalFailure(STOPPING) });
    }
  }

  private answer(rewind: Rewind, outcome: Outcome): void {
    rewind.outcome = outcome;
    this.waiting.splice(this.waiting.indexOf(rewind), 1);
  }
}

function finalFailure(sentence: string, type?: string | null): ApplicationFailure {
  return ApplicationFailure.nonRetryable(sentence, type);
}

function answerOf({ outcome }: Rewind): RewoundPartition {
  if (outcome !== null && 'rewound' in outcome) return outcome.rewound;
  throw outcome?.failure ?? finalFailure('The rewind came to no end.');
}
