// Runs one lease after another for a workflow: interruptible by its handlers, patient with failures, never failing itself.
//
// A lease ends in one of three ways. `done`: the activity returned (its time was over, or it drained because it was
// interrupted or its worker shuts down); the failure series is forgotten, unless a worker only passed the lease on. `interrupted`: a handler called interrupt() and
// the activity ended without a result. `failed`: one more failure in the series; the owner shows it and calls backOff().
// A cancelled workflow is none of these: its CancelledFailure passes through.
import { ActivityCancellationType, CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';

import type { Failures } from './commands.ts';
import { NO_FAILURES, addFailure, backoffMs } from './failure-series.ts';
import type { RunOptions } from './run-options.ts';

export type LeaseOutcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'failed'; readonly failure: unknown };

/** Options of an activity that is a lease: one attempt each, because the workflow itself backs off and shows why. */
export function leaseOptions(options: RunOptions, taskQueue: string): ActivityOptions {
  return {
    taskQueue,
    startToCloseTimeout: options.leaseMs + options.leaseMarginMs,
    heartbeatTimeout: options.heartbeatTimeoutMs,
    retry: { maximumAttempts: 1 },
    // Else the worker that ran the workflow's last task would get the lease, however many it holds.
    allowEagerDispatch: false,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
}

export class LeaseKeeper {
  failures: Failures = NO_FAILURES;
  /** Whether the worker that had the last lease may be gone: the lease failed, or drained. */
  workerGone = false;
  private readonly options: RunOptions;
  private scope: CancellationScope | null = null;
  private interrupted = false;

  constructor(options: RunOptions, carried: Failures = NO_FAILURES) {
    this.options = options;
    this.failures = carried;
  }

  /** Ends the running lease or wait early; for handlers that have changed what should happen next. */
  interrupt(): void {
    this.interrupted = true;
    this.scope?.cancel();
  }

  async run<T>(lease: () => Promise<T>): Promise<LeaseOutcome<T>> {
    const startedMs = Date.now();
    this.interrupted = false;
    this.scope = new CancellationScope({ cancellable: true });
    try {
      const value = await this.scope.run(lease);
      const reason = reasonOf(value);
      if (reason !== 'passed-on') {
        this.failures = NO_FAILURES;
        this.workerGone = reason === 'drained';
      }
      return { kind: 'done', value };
    } catch (failure) {
      if (isCancellation(failure)) {
        if (this.interrupted) return { kind: 'interrupted' };
        throw failure;
      }
      this.workerGone = true;
      this.failures = addFailure(this.failures, failure, { lastedMs: Date.now() - startedMs });
      return { kind: 'failed', failure };
    } finally {
      this.scope = null;
    }
  }

  /** Waits as long as the failure series demands; interrupt() ends the wait. */
  async backOff(): Promise<void> {
    this.interrupted = false;
    const { count } = this.failures;
    await condition(() => this.interrupted, backoffMs(this.failures, this.options), {
      summary: `try again after failure ${count}`,
    });
  }
}

/** Why a lease says that it ended, where it says so. */
function reasonOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'reason' in value ? value.reason : null;
}
