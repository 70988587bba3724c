// One lease of a generator: sends the messages that fall due within a bounded time, and says how far Kafka acknowledged them.
import { Context } from '@temporalio/activity';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { behindMs, createRateMeter, dueThrough } from '../generator/pace.ts';
import type { Segment } from '../generator/pace.ts';
import { createPatientWriter } from '../generator/patient-writer.ts';
import { createMessageMaker } from '../generator/produced-message.ts';
import { SYSTEM_CLOCK, sendOnSchedule } from '../generator/send-on-schedule.ts';
import { openEventWriter } from '../kafka/event-writer.ts';
import type { GeneratorMetrics } from '../observability/metrics.ts';

export type { GeneratorSpec } from '../generator/generator-spec.ts';
export type { Segment } from '../generator/pace.ts';

export type ProduceDeps = { readonly kafkaBrokers: readonly string[]; readonly metrics: GeneratorMetrics };

/**
 * `fromIndex`: first message of the lease. `toIndex`: index to end before, null for none. `maxBehindMs`: a lease that would
 * begin further behind its schedule than this sends nothing; null: however far.
 */
export type ProduceInput = {
  readonly spec: GeneratorSpec;
  readonly segment: Segment;
  readonly fromIndex: number;
  readonly toIndex: number | null;
  readonly leaseMs: number;
  readonly maxBehindMs: number | null;
};

/**
 * Everything before `nextIndex` is acknowledged. `unconfirmed`: how many from there on may have arrived all the same.
 * `trouble`: why a batch was given up, null when none was.
 */
export type ProduceResult = {
  readonly nextIndex: number;
  readonly unconfirmed: number;
  readonly sent: number;
  readonly reason: 'lease-over' | 'end-reached' | 'behind-schedule' | 'drained';
  readonly trouble: string | null;
};

/** `mayReachIndex`: no message from here on can have been sent when this lease falls silent after this heartbeat. */
export type ProduceHeartbeat = {
  readonly nextIndex: number;
  readonly rate: number;
  readonly actualRate: number;
  readonly behindMs: number;
  readonly mayReachIndex: number;
  readonly trouble: string | null;
};

const HEARTBEAT_EVERY_MS = 500;
/** A lease that Temporal does not hear is cancelled by its own worker: 5 s after the heartbeat timeout, and a little more. */
const SILENCE_MARGIN_MS = 7_000;
/** Time that the batch in hand gets after the lease was asked to stop, and after it was over. */
const DRAIN_WITHIN_MS = 8_000;
const OVERTIME_MS = 30_000;

/**
 * The activity `produceEvents`. A lease given twice sends the same bytes twice, so the event ids remove the doubles; it
 * goes on where its last heartbeat says Kafka had acknowledged. Kafka being away is waited for, not failed on.
 */
export const createProduceEvents =
  (deps: ProduceDeps) =>
  async (input: ProduceInput): Promise<ProduceResult> => {
    const context = Context.current();
    const heard: Partial<ProduceHeartbeat> | undefined = context.info.heartbeatDetails;
    const fromIndex = Math.max(input.fromIndex, heard?.nextIndex ?? 0);
    const lease = { ...input, fromIndex, spec: createGeneratorSpec(input.spec) };
    const result = isTooFarBehind(lease)
      ? ({ nextIndex: fromIndex, unconfirmed: 0, sent: 0, reason: 'behind-schedule', trouble: null } as const)
      : await produce(deps, lease);
    // A paused activity must throw its cancellation: returning would complete it.
    if (context.cancellationDetails?.paused) throw context.cancellationSignal.reason;
    const mayHaveReached = Math.min(heard?.mayReachIndex ?? 0, input.toIndex ?? Infinity);
    return { ...result, unconfirmed: Math.max(result.unconfirmed, mayHaveReached - result.nextIndex) };
  };

function isTooFarBehind({ spec, segment, fromIndex, maxBehindMs }: ProduceInput): boolean {
  const paced = spec.startTimeMs === null;
  return paced && maxBehindMs !== null && behindMs(segment, fromIndex, SYSTEM_CLOCK.nowMs()) > maxBehindMs;
}

async function produce(deps: ProduceDeps, input: ProduceInput): Promise<ProduceResult> {
  const { spec, segment, fromIndex, toIndex } = input;
  const { heartbeat, silenceMs, cancellationSignal: signal } = contextOf();
  const clock = SYSTEM_CLOCK;
  const startedMs = clock.nowMs();
  const paced = spec.startTimeMs === null;
  const endIndex = toIndex ?? Infinity;
  const endMs = startedMs + input.leaseMs;
  const patience = limitPatience(signal, endMs + OVERTIME_MS - startedMs);
  const writer = createPatientWriter(
    async () => await openEventWriter({ brokers: deps.kafkaBrokers, topic: spec.topic, signal: patience.giveUp }),
    patience.giveUp,
  );
  const meter = createRateMeter(startedMs);
  let acknowledged = fromIndex;
  const report = (): void => {
    const nowMs = clock.nowMs();
    heartbeat({
      nextIndex: acknowledged,
      rate: segment.rate,
      actualRate: meter.perSecond(nowMs),
      behindMs: paced && acknowledged < endIndex ? behindMs(segment, acknowledged, nowMs) : 0,
      mayReachIndex: Math.min(endIndex, dueThrough(segment, nowMs + silenceMs + SILENCE_MARGIN_MS)),
      trouble: writer.trouble(),
    } satisfies ProduceHeartbeat);
  };
  report();
  const heartbeats = setInterval(report, HEARTBEAT_EVERY_MS);
  const onAcknowledged = (nextIndex: number, messages: number): void => {
    acknowledged = nextIndex;
    const nowMs = clock.nowMs();
    meter.add(messages, nowMs);
    const behindSeconds = paced ? behindMs(segment, nextIndex, nowMs) / 1_000 : 0;
    deps.metrics.produced({ generator: spec.name, topic: spec.topic, messages, behindSeconds });
  };
  const maker = createMessageMaker(spec);
  try {
    const sending = {
      maker,
      segment,
      fromIndex,
      endIndex,
      endMs,
      paced,
      clock,
      signal,
      write: writer.write,
      onAcknowledged,
    };
    const { nextIndex, unconfirmed } = await sendOnSchedule(sending);
    const ended = nextIndex >= endIndex ? 'end-reached' : 'lease-over';
    const reason = signal.aborted && ended === 'lease-over' ? 'drained' : ended;
    return { nextIndex, unconfirmed, sent: nextIndex - fromIndex, reason, trouble: writer.trouble() };
  } finally {
    clearInterval(heartbeats);
    await writer.close();
    patience.forget();
  }
}

type LeaseContext = {
  readonly heartbeat: (details: ProduceHeartbeat) => void;
  readonly silenceMs: number;
  readonly cancellationSignal: AbortSignal;
};

function contextOf(): LeaseContext {
  const context = Context.current();
  return {
    heartbeat: (details) => context.heartbeat(details),
    silenceMs: context.info.heartbeatTimeoutMs ?? 10_000,
    cancellationSignal: context.cancellationSignal,
  };
}

/** A signal that aborts some seconds after the lease was asked to stop, and at the latest after `mostMs`. */
function limitPatience(signal: AbortSignal, mostMs: number): { giveUp: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const giveUp = (): void => controller.abort();
  const timers = [setTimeout(giveUp, mostMs)];
  const onAbort = (): unknown => timers.push(setTimeout(giveUp, DRAIN_WITHIN_MS));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return {
    giveUp: controller.signal,
    forget: () => {
      signal.removeEventListener('abort', onAbort);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
