// generateEvents: keeps one generator sending, at the rate that was last asked for.
//
// States: what is true, and what leaves it.
//   starting     before the first lease; the main loop leaves it at once.
//   running      a lease of produceEvents runs, or waits for a worker. Its end leads to the next lease.
//   backing-off  a lease failed; a timer runs, then running.
//   paused       nothing is sent, the next index is known; resume leads to running, on a schedule that begins then.
//   stopped, finished  stop was asked for, or the last message is out: the workflow returns.
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { GeneratorSpec, ProduceInput, ProduceResult, createProduceEvents } from '../activities/produce-events.ts';
import { generatorDetails } from './generator-details.ts';
import { afterFailure, afterLease, initialGeneratorState, leaseEnd, rescheduled, resumed } from './generator-state.ts';
import type { GeneratorPhase, GeneratorState } from './generator-state.ts';
import { LeaseKeeper, leaseOptions } from './lease-keeper.ts';
import { runOptions, turnsOfRun } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

export type GenerateEventsInput = {
  readonly spec: GeneratorSpec;
  /** The seed is the millisecond in which the workflow began, so that no two runs of a schedule tell the same story. */
  readonly seedFromStart?: boolean;
  /** Only from the run before, through continue-as-new. */
  readonly state?: GeneratorState;
  readonly options?: Partial<RunOptions>;
};

const setRateUpdate = defineUpdate<GeneratorState, [number]>('setRate');
const pauseGeneratorUpdate = defineUpdate<GeneratorState>('pause');
const resumeGeneratorUpdate = defineUpdate<GeneratorState>('resume');
const stopGeneratorUpdate = defineUpdate<GeneratorState>('stop');
const generatorStateQuery = defineQuery<GeneratorState>('state');

const GENERATOR_LEASE_MS = 60_000;
/** A schedule that stood still for longer is not made up for: nobody wants hours of backlog at once. */
const MOST_BEHIND_MS = 300_000;
/** A lease that Temporal does not hear is cancelled by its own worker: 5 s after the heartbeat timeout, and a little more. */
const SILENCE_MARGIN_MS = 7_000;
const MOST_RATE = 1_000_000;
/** People wait for the answer: by then it says what is the case, done or not. */
const ANSWER_WITHIN_MS = 900;

/**
 * Renews leases of `produceEvents` until the count is reached or stop is asked for. Rate changes, pauses and long gaps
 * begin a new segment of the schedule at the next index: no index is skipped. Continues as new every few hundred leases.
 */
export async function generateEvents(input: GenerateEventsInput): Promise<GeneratorState> {
  const generator = new Generator(input);
  generator.listen();
  await generator.run();
  await condition(allHandlersFinished);
  return generator.state;
}

class Generator {
  state: GeneratorState;
  private readonly input: GenerateEventsInput;
  private readonly options: RunOptions;
  private readonly turnsOfRun: number;
  private readonly keeper: LeaseKeeper;
  /** What the last lease waited for in vain. */
  private trouble: string | null = null;

  constructor(input: GenerateEventsInput) {
    this.input = withSeed(input);
    this.options = runOptions({ leaseMs: GENERATOR_LEASE_MS, answerWithinMs: ANSWER_WITHIN_MS, ...input.options });
    this.turnsOfRun = turnsOfRun(this.options);
    this.state = input.state ?? initialGeneratorState(this.input.spec, Date.now());
    this.keeper = new LeaseKeeper(this.options, this.state.failures);
  }

  /** Each Update answers when what it asked for is true, or after a few seconds with the state as it is. */
  listen(): void {
    setHandler(generatorStateQuery, () => this.state);
    setHandler(
      setRateUpdate,
      (rate) => this.change({ rate, reschedule: true }, () => !this.state.reschedule || this.state.paused),
      { validator: (rate) => this.checkRate(rate) },
    );
    setHandler(pauseGeneratorUpdate, () => this.change({ paused: true }, () => this.state.phase === 'paused'));
    setHandler(resumeGeneratorUpdate, () => {
      if (!this.state.paused) return Promise.resolve(this.state);
      const wish = resumed(this.state, { nowMs: Date.now(), paced: this.paced });
      return this.change(wish, () => this.state.phase === 'running');
    });
    setHandler(stopGeneratorUpdate, () => this.change({ stopping: true }, () => this.state.phase === 'stopped'));
  }

  async run(): Promise<void> {
    for (let turn = 0; !this.state.stopping && !this.finished; turn += 1) {
      if (turn >= this.turnsOfRun || workflowInfo().continueAsNewSuggested) await this.continueAnew();
      if (this.state.paused) {
        this.enter('paused', `Paused before message ${this.state.nextIndex}.`);
        await condition(() => !this.state.paused || this.state.stopping);
      } else {
        await this.lease();
      }
    }
    if (this.state.timeOver) this.enter('finished', `Its time is over: ${this.state.nextIndex} messages are sent.`);
    else if (this.finished) this.enter('finished', `All ${this.state.nextIndex} messages are sent.`);
    else this.enter('stopped', `Stopped before message ${this.state.nextIndex}.`);
  }

  private get finished(): boolean {
    const { count, nextIndex, timeOver } = this.state;
    return timeOver === true || (count !== null && nextIndex >= count);
  }

  /** History has no present moment to start anew from: its one segment never changes. */
  private get paced(): boolean {
    return this.input.spec.startTimeMs === null;
  }

  private checkRate(rate: number): void {
    if (!(rate > 0 && rate <= MOST_RATE)) {
      throw new Error(
        `Rate ${rate} must be above 0 and at most ${MOST_RATE} messages per second; pause stops the flow.`,
      );
    }
    if (!this.paced) throw new Error('This generator makes history as fast as possible: it has no rate to change.');
  }

  private async change(wish: Partial<GeneratorState>, isTrue: () => boolean): Promise<GeneratorState> {
    this.state = { ...this.state, ...wish };
    this.keeper.interrupt();
    const over = (): boolean => this.state.phase === 'stopped' || this.state.phase === 'finished';
    await condition(() => isTrue() || over(), this.options.answerWithinMs);
    return this.state;
  }

  private async lease(): Promise<void> {
    this.state = rescheduled(this.state, Date.now());
    const { segment, nextIndex: fromIndex, lease } = this.state;
    const { leaseMs } = this.options;
    this.state = { ...this.state, lease: lease + 1 };
    this.enter('running', this.runningMessage());
    // What may have been sent before is made once more, however long ago it was due.
    const maxBehindMs = this.state.reschedule ? null : MOST_BEHIND_MS;
    const produceInput = {
      spec: this.input.spec,
      segment,
      fromIndex,
      toIndex: leaseEnd(this.state),
      leaseMs,
      maxBehindMs,
      untilMs: this.state.untilMs ?? null,
    };
    const startedMs = Date.now();
    const outcome = await this.keeper.run(async () => await this.produceEvents(produceInput));
    this.state = { ...this.state, failures: this.keeper.failures };
    if (outcome.kind === 'done') {
      this.state = afterLease(this.state, outcome.value);
      this.trouble = outcome.value.trouble;
    }
    if (outcome.kind !== 'failed') return;
    const silenceMs = this.options.heartbeatTimeoutMs + SILENCE_MARGIN_MS;
    const lastedMs = Math.min(Date.now() - startedMs, leaseMs) + silenceMs;
    this.state = afterFailure(this.state, outcome.failure, lastedMs);
    this.enter('backing-off', `${this.state.failures.message ?? 'A lease failed.'} It is tried again by itself.`);
    if (!this.state.stopping) await this.keeper.backOff();
  }

  private runningMessage(): string {
    const { nextIndex, segment, reschedule, mayReachIndex, rate } = this.state;
    if (reschedule) {
      return `Makes messages ${nextIndex} to ${mayReachIndex} once more: they may have been sent before. Then ${rate} a second.`;
    }
    const sending = this.paced
      ? `Sends message ${nextIndex} and on at ${segment.rate} a second.`
      : `Sends message ${nextIndex} and on as fast as possible.`;
    return this.trouble === null ? sending : `${sending} The last lease waited in vain: ${this.trouble}`;
  }

  private async produceEvents(input: ProduceInput): Promise<ProduceResult> {
    const { produceEvents } = proxyActivities<{ produceEvents: ReturnType<typeof createProduceEvents> }>({
      ...leaseOptions(this.options, this.options.taskQueues.generator),
      summary: `lease ${this.state.lease}: from message ${input.fromIndex} at ${input.segment.rate}/s`,
    });
    return await produceEvents(input);
  }

  private async continueAnew(): Promise<void> {
    await condition(allHandlersFinished);
    await continueAsNew<typeof generateEvents>({ ...this.input, state: this.state });
  }

  private enter(phase: GeneratorPhase, message: string): void {
    this.state = { ...this.state, phase, message };
    setCurrentDetails(generatorDetails(this.state));
  }
}

function withSeed({ seedFromStart, ...input }: GenerateEventsInput): GenerateEventsInput {
  if (!seedFromStart) return input;
  return { ...input, spec: { ...input.spec, seed: workflowInfo().startTime.getTime() } };
}
