// Runs one lease after another for a workflow: interruptible by its handlers, patient with failures, never failing itself.
//
// A lease ends in one of three ways. `done`: the activity returned (its time was over, or it drained because it was
// interrupted or its worker shuts down); the failure series is forgotten. `interrupted`: a handler called interrupt() and
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
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
}

export class LeaseKeeper {
  failures: Failures = NO_FAILURES;
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
      this.failures = NO_FAILURES;
      return { kind: 'done', value };
    } catch (failure) {
      if (isCancellation(failure)) {
        if (this.interrupted) return { kind: 'interrupted' };
        throw failure;
      }
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
