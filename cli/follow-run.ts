// Waits for the end of a workflow with its progress on one line; Ctrl-C stops the waiting, not the work.
import { messageOf } from '../pipeline/ensure.ts';
import { listenForInterrupts, waitMs } from '../workers/interrupts.ts';
import { CliFailure } from './failure.ts';
import { openProgressLine } from './progress-line.ts';
import type { Control, Target } from './temporal-control.ts';

const LOOK_EVERY_MS = 400;

/** `line`: what its state says about progress. `stays`: what is true when it was ended from outside, as half a sentence. */
export type Following<State> = {
  readonly target: Target;
  readonly line: (state: State) => string;
  readonly stays: string;
};

/** The state in which it ended. Throws CliFailure when it was ended from outside. */
export async function followRun<State>(
  control: Control,
  { target, line, stays }: Following<State>,
): Promise<State | 'left running'> {
  const interrupts = listenForInterrupts();
  const progress = openProgressLine();
  const present = async (): Promise<string> => {
    try {
      return line(await control.state<State>(target));
    } catch (thrown) {
      // No worker at present, or it has ended just now: the next look tells.
      return messageOf(thrown);
    }
  };
  try {
    while (await control.isRunning(target.id)) {
      if (interrupts.signal.aborted) return 'left running';
      progress.show(await present());
      await waitMs(LOOK_EVERY_MS, interrupts.signal);
    }
    const outcome: State = await control.client.workflow.getHandle(target.id).result();
    return outcome;
  } catch (cause) {
    if (cause instanceof CliFailure) throw cause;
    throw new CliFailure(`${target.title} was ended from outside (${messageOf(cause)}); ${stays}.`, {
      exitCode: 1,
      cause,
    });
  } finally {
    progress.clear();
    interrupts.forget();
  }
}
