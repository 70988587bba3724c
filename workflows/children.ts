// The children of a pipeline: kept alive, spoken to, and ended together.
//
// A child is ours (this run started it, so its end wakes us) or found (it was running already: an earlier run of the pipeline
// started it; every look tries to start it again, which an open child refuses). Children are abandoned on purpose: they
// outlive the run that started them, so that the pipeline can continue as new or be started anew beside them.
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { CancellationScope, getExternalWorkflowHandle, log, sleep } from '@temporalio/workflow';

import { messageOf } from '../pipeline/ensure.ts';
import { configureSignal, stopSignal } from './commands.ts';
import type { Configuration } from './commands.ts';

/** One workflow to keep alive. `start` starts it; it must reject with WorkflowExecutionAlreadyStartedError when it runs. */
export type Wanted = { readonly id: string; readonly start: () => Promise<{ result(): Promise<unknown> }> };

type Child = { state: 'ours' | 'found' | 'ended' };

const STOP_LOOK_MS = 500;

/** How every child of a pipeline is started: it outlives the run, and may be started again after any end. */
export const ABANDONED = { parentClosePolicy: 'ABANDON', workflowIdReusePolicy: 'ALLOW_DUPLICATE' } as const;

export class Children {
  /** Children that ended although nobody had stopped them. */
  unexpectedEnds = 0;
  private readonly children = new Map<string, Child>();
  private wantedIds: string[] = [];
  private stopping = false;

  /** Workflow ids, in the order in which they were asked for. */
  get ids(): string[] {
    return this.wantedIds;
  }

  /** Starts what is not known to run. A child that is found running for the first time gets `configuration`, if there is one. */
  async keepAlive(wanted: readonly Wanted[], configuration: () => Configuration | null): Promise<void> {
    this.wantedIds = wanted.map(({ id }) => id);
    await Promise.all(wanted.map((each) => this.keepOneAlive(each, configuration)));
  }

  private async keepOneAlive({ id, start }: Wanted, configuration: () => Configuration | null): Promise<void> {
    const known = this.children.get(id);
    if (known?.state === 'ours') return;
    const child: Child = known ?? { state: 'found' };
    try {
      const handle = await start();
      if (known?.state === 'found') this.unexpectedEnds += 1;
      child.state = 'ours';
      this.children.set(id, child);
      handle.result().then(
        () => this.ended(id, child, 'It returned.'),
        (failure: unknown) => this.ended(id, child, messageOf(failure)),
      );
    } catch (failure) {
      if (!(failure instanceof WorkflowExecutionAlreadyStartedError)) throw failure;
      child.state = 'found';
      this.children.set(id, child);
      // Only now: what was asked of the pipeline meanwhile must not be undone.
      const present = known ? null : configuration();
      if (present) await this.tell(id, (handle) => handle.signal(configureSignal, present));
    }
  }

  /** Sends one message; false when the workflow is not there (any more). */
  async tell(
    id: string,
    send: (handle: ReturnType<typeof getExternalWorkflowHandle>) => Promise<void>,
  ): Promise<boolean> {
    try {
      await send(getExternalWorkflowHandle(id));
      return true;
    } catch (failure) {
      log.info('A child could not be told', { id, why: messageOf(failure) });
      return false;
    }
  }

  /** Ends all children cleanly and waits until each has returned, also when the pipeline itself is being cancelled. */
  async stopAll(): Promise<void> {
    this.stopping = true;
    await CancellationScope.nonCancellable(async () => {
      await Promise.all([...this.children].map(async ([id, child]) => await this.stopOne(id, child)));
    });
  }

  private async stopOne(id: string, child: Child): Promise<void> {
    // Once is enough for one that runs; asking again is how the end of a found child is seen.
    while (child.state !== 'ended') {
      if (!(await this.tell(id, (handle) => handle.signal(stopSignal)))) return;
      await sleep(STOP_LOOK_MS, { summary: `has ${id} ended?` });
    }
  }

  private ended(id: string, child: Child, why: string): void {
    child.state = 'ended';
    if (this.stopping) return;
    this.unexpectedEnds += 1;
    log.warn('A child has ended although nobody stopped it', { id, why });
  }
}
