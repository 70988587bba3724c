// Parse: CPU time that an event takes in a worker itself, without any server: decoding records, judging messages, encoding rows.
import type { Message } from '../pipeline/message.ts';
import type { RecordedEvent } from '../pipeline/micro-batch.ts';
import { parseMessage } from '../pipeline/parse-message.ts';
import type { ParseRules } from '../pipeline/parse-message.ts';
import { encodeBatch } from '../kafka/record-encode.ts';
import { readRecords } from '../kafka/record-batch.ts';
import { CopyBuffer } from '../postgres/copy-buffer.ts';
import { encodeEvents } from '../postgres/event-rows.ts';
import { round } from './cpu-meter.ts';
import { describeMachine } from './machine.ts';
import type { Circumstances } from './outcome.ts';
import { plainMessage } from './plain-events.ts';
import { spreadOf } from './spread.ts';
import type { Spread } from './spread.ts';

export type ParseOptions = {
  readonly events: number;
  readonly rounds: number;
  readonly seed: number;
  readonly users: number;
  readonly report: (line: string) => void;
};

type Part = 'decode' | 'judge' | 'encode';

export type ParseOutcome = Pick<Circumstances, 'date' | 'machine'> & {
  readonly bench: 'parse';
  readonly versions: Pick<Circumstances['versions'], 'node'>;
  readonly events: number;
  readonly rounds: number;
  readonly seed: number;
  readonly users: number;
  readonly bytesPerEvent: number;
  readonly rowBytesPerEvent: number;
  /** Of the whole process, with its garbage collection; over the rounds. */
  readonly cpuMicrosecondsPerEvent: Readonly<Record<Part, Spread>>;
};

/** As many messages as one write of a producer holds, and as one micro-batch takes. */
const MESSAGES_PER_RECORD_BATCH = 500;
const MESSAGES_PER_FETCH = 5000;
const WARM_UP_ROUNDS = 3;
const EVENT_RATE = 5000;
const START_MS = Date.UTC(2026, 0, 1);
const RULES: ParseRules = { maxFutureMs: 300_000, retentionMs: null };

/** Plain events in order, so that every message is one. Throws when one is refused. */
export async function benchParse(options: ParseOptions): Promise<ParseOutcome> {
  const { events, rounds, seed, users, report } = options;
  const fetches: Buffer[] = [];
  let valueBytes = 0;
  for (let from = 0; from < events; from += MESSAGES_PER_FETCH) {
    const fetch = makeFetch(options, from, Math.min(events, from + MESSAGES_PER_FETCH));
    fetches.push(fetch.bytes);
    valueBytes += fetch.valueBytes;
  }
  const rows = new CopyBuffer();
  for (let nth = 0; nth < WARM_UP_ROUNDS; nth += 1) await takeRound(fetches, rows);
  report(`Warm; ${rounds} rounds of ${events} events`);
  const taken: Round[] = [];
  for (let nth = 0; nth < rounds; nth += 1) taken.push(await takeRound(fetches, rows));
  const perEvent = (part: Part): Spread => spreadOf(taken.map(({ microseconds }) => microseconds[part] / events));
  return {
    bench: 'parse',
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: { node: process.version },
    events,
    rounds,
    seed,
    users,
    bytesPerEvent: round(valueBytes / events),
    rowBytesPerEvent: round((taken[0]?.rowBytes ?? 0) / events),
    cpuMicrosecondsPerEvent: { decode: perEvent('decode'), judge: perEvent('judge'), encode: perEvent('encode') },
  };
}

/** Record batches as a broker would send them, the first of them at offset 0. */
function makeFetch(
  { seed, users }: ParseOptions,
  from: number,
  to: number,
): { readonly bytes: Buffer; readonly valueBytes: number } {
  const spec = { seed, users, eventRate: EVENT_RATE, startTimeMs: START_MS, ids: 'v7', disordered: false } as const;
  const messages = Array.from({ length: to - from }, (_, nth) => plainMessage(spec, from + nth)).map(
    ({ key, value, timestampMs }) => ({ key: Buffer.from(key), value, timestampMs }),
  );
  const batches: Buffer[] = [];
  for (let at = 0; at < messages.length; at += MESSAGES_PER_RECORD_BATCH) {
    const batch = encodeBatch(messages.slice(at, at + MESSAGES_PER_RECORD_BATCH), {
      producerId: -1,
      producerEpoch: -1,
      firstSequence: -1,
      nowMs: START_MS,
    });
    // The broker's part: where the batch stands in the log.
    batch.writeBigInt64BE(BigInt(at), 0);
    batches.push(batch);
  }
  return {
    bytes: Buffer.concat(batches),
    valueBytes: messages.reduce((sum, { value }) => sum + value.length, 0),
  };
}

type Round = { readonly microseconds: Readonly<Record<Part, number>>; readonly rowBytes: number };

/** Fetch by fetch, as a worker does it, so that no more is alive at once than in a worker. */
async function takeRound(fetches: readonly Buffer[], rows: CopyBuffer): Promise<Round> {
  const microseconds: Record<Part, number> = { decode: 0, judge: 0, encode: 0 };
  let rowBytes = 0;
  let before = process.cpuUsage();
  const lap = (part: Part): void => {
    const { user, system } = process.cpuUsage(before);
    microseconds[part] += user + system;
    before = process.cpuUsage();
  };
  for (const bytes of fetches) {
    before = process.cpuUsage();
    const { messages } = await readRecords({ topic: 'bench', partition: 0, bytes, fromOffset: 0, aborted: [] });
    lap('decode');
    const events = messages.map(judged);
    lap('judge');
    rowBytes += encodeEvents(events, 0, rows).length;
    lap('encode');
  }
  return { microseconds, rowBytes };
}

function judged(message: Message): RecordedEvent {
  const { event, rejection } = parseMessage(message, RULES);
  if (event === null)
    throw new Error(`A plain event was refused (${rejection.reason}): its maker and the schemas differ.`);
  return { event, message };
}
