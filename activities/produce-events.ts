// One lease of a generator: sends the messages that fall due within a bounded time, and says how far Kafka acknowledged them.
import { Context } from '@temporalio/activity';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { keepMakers } from '../generator/kept-makers.ts';
import { behindMs, createRateMeter, dueThrough, positionAt, targetRate } from '../generator/pace.ts';
import type { Segment } from '../generator/pace.ts';
import { createPatientWriter } from '../generator/patient-writer.ts';
import type { MessageMaker } from '../generator/produced-message.ts';
import { SYSTEM_CLOCK, sendOnSchedule } from '../generator/send-on-schedule.ts';
import type { Sending, Sent } from '../generator/send-on-schedule.ts';
import { openEventWriter } from '../kafka/event-writer.ts';
import type { GeneratorMetrics } from '../observability/generator-metrics.ts';

export type { GeneratorSpec } from '../generator/generator-spec.ts';
export type { Segment } from '../generator/pace.ts';
export type { ProfileName } from '../generator/profile.ts';

export type ProduceDeps = { readonly kafkaBrokers: readonly string[]; readonly metrics: GeneratorMetrics };

/**
 * `fromIndex`: first message of the lease. `toIndex`: index to end before, null for none. `maxBehindMs`: a lease that would
 * begin further behind its schedule than this sends nothing; null: however far. `untilMs`: messages due from then on are not
 * made any more (epoch ms; absent or null: no such end).
 */
export type ProduceInput = {
  readonly spec: GeneratorSpec;
  readonly segment: Segment;
  readonly fromIndex: number;
  readonly toIndex: number | null;
  readonly leaseMs: number;
  readonly maxBehindMs: number | null;
  readonly untilMs?: number | null;
};

/**
 * Everything before `nextIndex` is acknowledged. `unconfirmed`: how many from there on may have arrived all the same.
 * `time-over`: no more messages fall due before `untilMs`. `trouble`: why a batch was given up, null when none was.
 * `stopped`: where it left its schedule, when it has sent what was due by then; a new segment may begin there.
 */
export type ProduceResult = {
  readonly nextIndex: number;
  readonly unconfirmed: number;
  readonly sent: number;
  readonly reason: 'lease-over' | 'end-reached' | 'time-over' | 'behind-schedule' | 'drained';
  readonly trouble: string | null;
  readonly stopped?: Stopped | null;
};

/** `firstAfter`: the part of a message's distance that was still to pass at `atMs` (epoch ms) before the next one was due. */
export type Stopped = { readonly atMs: number; readonly firstAfter: number };

/**
 * `mayReachIndex`: no message from here on can have been sent when this lease falls silent after this heartbeat. `targetRate`:
 * what the schedule asks for just now, `actualRate` what Kafka has acknowledged, messages a second; builds before profiles
 * tell neither target, bytes nor errors (by kind, of this lease).
 */
export type ProduceHeartbeat = {
  readonly nextIndex: number;
  readonly rate: number;
  readonly targetRate?: number;
  readonly actualRate: number;
  readonly bytesPerSecond?: number;
  readonly errors?: Readonly<Record<string, number>>;
  readonly behindMs: number;
  readonly mayReachIndex: number;
  readonly trouble: string | null;
};

/** A heartbeat's answer is what tells a lease to stop, and people wait for that. */
const HEARTBEAT_EVERY_MS = 250;
/** A lease that Temporal does not hear is cancelled by its own worker: 5 s after the heartbeat timeout, and a little more. */
const SILENCE_MARGIN_MS = 7_000;
/** Time that the batch in hand gets after the lease was asked to stop, and after it was over. */
const DRAIN_WITHIN_MS = 8_000;
const OVERTIME_MS = 30_000;

/**
 * The activity `produceEvents`. A lease given twice sends the same bytes twice, so the event ids remove the doubles; it
 * goes on where its last heartbeat says Kafka had acknowledged. Kafka being away is waited for, not failed on.
 */
export const createProduceEvents = (deps: ProduceDeps): ((input: ProduceInput) => Promise<ProduceResult>) => {
  const makerOf = keepMakers();
  return async (input) => {
    const context = Context.current();
    const heard: Partial<ProduceHeartbeat> | undefined = context.info.heartbeatDetails;
    const fromIndex = Math.max(input.fromIndex, heard?.nextIndex ?? 0);
    const lease = { ...input, fromIndex, spec: createGeneratorSpec(input.spec) };
    const result = isTooFarBehind(lease)
      ? ({ nextIndex: fromIndex, unconfirmed: 0, sent: 0, reason: 'behind-schedule', trouble: null } as const)
      : await produce({ ...deps, makerOf }, lease);
    // A paused activity must throw its cancellation: returning would complete it.
    if (context.cancellationDetails?.paused) throw context.cancellationSignal.reason;
    const mayHaveReached = Math.min(heard?.mayReachIndex ?? 0, input.toIndex ?? Infinity);
    return { ...result, unconfirmed: Math.max(result.unconfirmed, mayHaveReached - result.nextIndex) };
  };
};

type LeaseDeps = ProduceDeps & { readonly makerOf: (spec: GeneratorSpec) => MessageMaker };

function isTooFarBehind({ spec, segment, fromIndex, maxBehindMs }: ProduceInput): boolean {
  const paced = spec.startTimeMs === null;
  return paced && maxBehindMs !== null && behindMs(segment, fromIndex, SYSTEM_CLOCK.nowMs()) > maxBehindMs;
}

async function produce(deps: LeaseDeps, input: ProduceInput): Promise<ProduceResult> {
  const { spec, segment, fromIndex } = input;
  const { heartbeat, silenceMs, cancellationSignal: signal } = contextOf();
  const clock = SYSTEM_CLOCK;
  const startedMs = clock.nowMs();
  const paced = spec.startTimeMs === null;
  const untilIndex = indexAt(segment, input.untilMs ?? null);
  const endIndex = Math.min(input.toIndex ?? Infinity, untilIndex);
  const endMs = startedMs + input.leaseMs;
  const patience = limitPatience(signal, endMs + OVERTIME_MS - startedMs);
  const of = { generator: spec.name, topic: spec.topic };
  const writer = createPatientWriter(
    async (onTrouble) =>
      await openEventWriter({ brokers: deps.kafkaBrokers, topic: spec.topic, signal: patience.giveUp, onTrouble }),
    { giveUp: patience.giveUp, onError: (kind) => deps.metrics.failed({ ...of, kind }) },
  );
  const meter = createRateMeter(startedMs);
  let acknowledged = fromIndex;
  const report = (): void => {
    const nowMs = clock.nowMs();
    const actual = meter.perSecond(nowMs);
    const pace = {
      targetRate: paced ? targetRate(segment, nowMs) : actual.messages,
      actualRate: actual.messages,
      behindMs: paced && acknowledged < endIndex ? behindMs(segment, acknowledged, nowMs) : 0,
    };
    deps.metrics.pace({ ...of, ...pace });
    heartbeat({
      ...pace,
      nextIndex: acknowledged,
      rate: segment.rate,
      bytesPerSecond: actual.bytes,
      errors: writer.errors(),
      mayReachIndex: Math.min(endIndex, dueThrough(segment, nowMs + silenceMs + SILENCE_MARGIN_MS)),
      trouble: writer.trouble(),
    } satisfies ProduceHeartbeat);
  };
  report();
  const heartbeats = setInterval(report, HEARTBEAT_EVERY_MS);
  const onAcknowledged: Sending['onAcknowledged'] = (nextIndex, sent) => {
    acknowledged = nextIndex;
    const bytes = sent.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    meter.add({ messages: sent.length, bytes }, clock.nowMs());
    deps.metrics.produced({ ...of, messages: sent.length, bytes });
  };
  const sending = { segment, fromIndex, endIndex, endMs, paced, clock, signal, write: writer.write, onAcknowledged };
  try {
    const sent = await sendOnSchedule({ ...sending, maker: deps.makerOf(spec) });
    const reason = endOf(sent.nextIndex, { endIndex, untilIndex, drained: signal.aborted });
    return { ...outcome(segment, sent), sent: sent.nextIndex - fromIndex, reason, trouble: writer.trouble() };
  } finally {
    clearInterval(heartbeats);
    deps.metrics.leaseEnded(of);
    await writer.close();
    patience.forget();
  }
}

/** Index before which a schedule ends that ends at a time. */
function indexAt(segment: Segment, untilMs: number | null): number {
  return untilMs === null ? Infinity : dueThrough(segment, untilMs - 1);
}

function endOf(
  nextIndex: number,
  { endIndex, untilIndex, drained }: { endIndex: number; untilIndex: number; drained: boolean },
): ProduceResult['reason'] {
  if (nextIndex >= untilIndex) return 'time-over';
  if (nextIndex >= endIndex) return 'end-reached';
  return drained ? 'drained' : 'lease-over';
}

function outcome(
  segment: Segment,
  { nextIndex, unconfirmed, stoppedMs }: Sent,
): Pick<ProduceResult, 'nextIndex' | 'unconfirmed' | 'stopped'> {
  // Further behind than what was sent at the end: what is owed is left out when a new segment begins.
  const firstAfter = stoppedMs === null ? 0 : Math.max(0, nextIndex - positionAt(segment, stoppedMs));
  return { nextIndex, unconfirmed, stopped: stoppedMs === null ? null : { atMs: stoppedMs, firstAfter } };
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
