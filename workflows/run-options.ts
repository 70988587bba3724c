// How long workflows lease, wait and back off, and on which task queues: arguments, so that a test runs in seconds.
import { TASK_QUEUES } from '../pipeline/ids.ts';
import { isPatched } from './patches.ts';

/** The three task queues by name; tests that need a worker of their own give their own. */
export type TaskQueues = Readonly<Record<keyof typeof TASK_QUEUES, string>>;

export type RunOptions = {
  /** Longest run of one activity that holds a partition, watches the watermark or publishes offsets. */
  readonly leaseMs: number;
  /** Silence after which a lease counts as lost with its worker. */
  readonly heartbeatTimeoutMs: number;
  /** Time a lease may take to commit the batch in hand once it is over. */
  readonly leaseMarginMs: number;
  /** Waits after failures, before chance shortens them (pipeline/backoff.ts). */
  readonly backoffFirstMs: number;
  readonly backoffLongestMs: number;
  /** How often the pipeline looks for new partitions and for children that have ended. */
  readonly lookEveryMs: number;
  /** How often the low watermark is worked out anew. */
  readonly pollEveryMs: number;
  readonly publishEveryMs: number;
  /** Longest time that the Updates pause and resume wait for the partitions' answers. */
  readonly answerWithinMs: number;
  /** Turns of a workflow's loop before it continues as new; null: as many as turnsOfRun says. */
  readonly turnsPerRun: number | null;
  readonly taskQueues: TaskQueues;
};

const DEFAULT_RUN_OPTIONS: RunOptions = {
  leaseMs: 300_000,
  heartbeatTimeoutMs: 10_000,
  leaseMarginMs: 60_000,
  backoffFirstMs: 1_000,
  backoffLongestMs: 10_000,
  lookEveryMs: 60_000,
  pollEveryMs: 250,
  publishEveryMs: 5_000,
  answerWithinMs: 30_000,
  turnsPerRun: null,
  taskQueues: TASK_QUEUES,
};

export function runOptions(given: Partial<RunOptions> | undefined): RunOptions {
  return { ...DEFAULT_RUN_OPTIONS, ...given };
}

/** A turn is up to ten events of history, and a thousand of them take a second of CPU to replay. */
const TURNS_PER_RUN = 50;
const TURNS_OF_LONG_RUNS = 500;

/** Turns of a workflow's loop before it continues as new, so that its replay is short; to be asked when a run begins. */
export function turnsOfRun({ turnsPerRun }: Pick<RunOptions, 'turnsPerRun'>): number {
  return turnsPerRun ?? (isPatched('shortRuns') ? TURNS_PER_RUN : TURNS_OF_LONG_RUNS);
}
