// Fills a bench's topic beforehand, with a history that ends now, so that no event lies in the future.
import { createGeneratorSpec } from '../generator/generator-spec.ts';
import { createMessageMaker } from '../generator/produced-message.ts';
import type { ProducedMessage } from '../generator/produced-message.ts';
import { openEventWriter } from '../kafka/event-writer.ts';
import type { BenchPipeline } from './bench-pipeline.ts';
import { plainMessage } from './plain-events.ts';

/** What the messages of a bench are; printed with its figures. */
export type Filling = {
  readonly events: number;
  readonly seed: number;
  readonly users: number;
  /** Events per second of event time: with the number of events it decides how many windows there are. */
  readonly eventRate: number;
  /** `plain`: each drawn on its own, of users who stay; `shop`: the generator's visits, which are short. */
  readonly data: 'plain' | 'shop';
  /** Of plain events; the shop's are v7. */
  readonly ids: 'v4' | 'v7';
  /** Without repeated, early, late and malformed messages. */
  readonly inOrder: boolean;
};

const MESSAGES_PER_WRITE = 6000;
const DISORDER = { disorder: 0.02, duplicates: 0.005, malformed: 0.001, late: 0.002 };

/** Returns the bytes of all values. */
export async function fillTopic(bench: BenchPipeline, filling: Filling): Promise<number> {
  const { events, eventRate } = filling;
  const fill = createFiller(bench, filling, Date.now() - Math.ceil((events / eventRate) * 1000));
  return await fill(0, events);
}

/**
 * For a topic that is filled piece by piece: the returned function appends the messages from an index up to, not including,
 * another, and returns the bytes of their values. Message 0 has the event time `startTimeMs` (epoch ms).
 */
export function createFiller(
  bench: BenchPipeline,
  filling: Filling,
  startTimeMs: number,
): (from: number, to: number) => Promise<number> {
  const { addresses, report } = bench.options;
  const messages = messagesOf(bench.spec.topic, filling, startTimeMs);
  return async (from, to) => {
    const writer = await openEventWriter({ brokers: addresses.kafka.brokers, topic: bench.spec.topic });
    try {
      let bytes = 0;
      let written: Promise<void> = Promise.resolve();
      for (let at = from; at < to; at += MESSAGES_PER_WRITE) {
        const next = messages(at, Math.min(to, at + MESSAGES_PER_WRITE));
        for (const { value } of next) bytes += value.length;
        // The next messages are made while the broker takes these.
        await written;
        written = writer.write(next);
      }
      await written;
      report(`The topic holds ${to} messages`);
      return bytes;
    } finally {
      await writer.close();
    }
  };
}

/** The messages from an index up to, not including, another. */
function messagesOf(
  topic: string,
  filling: Filling,
  startTimeMs: number,
): (from: number, to: number) => ProducedMessage[] {
  const { events, seed, users, eventRate, data, ids, inOrder } = filling;
  if (data === 'plain') {
    const spec = { seed, users, eventRate, startTimeMs, ids, disordered: !inOrder };
    return (from, to) => Array.from({ length: to - from }, (_, nth) => plainMessage(spec, from + nth));
  }
  const shares = inOrder ? {} : DISORDER;
  const spec = createGeneratorSpec({ topic, seed, users, rate: eventRate, count: events, startTimeMs, ...shares });
  const maker = createMessageMaker(spec);
  const segment = { fromIndex: 0, startMs: startTimeMs, rate: eventRate };
  return (from, to) => maker.messages(segment, from, to);
}
