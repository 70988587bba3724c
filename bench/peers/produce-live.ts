// A steady producer in a process of its own: plain events, each written when it is due, which is also the time that it bears.
import { setTimeout as wait } from 'node:timers/promises';

import { openEventWriter } from '../../kafka/event-writer.ts';
import { must } from '../../pipeline/ensure.ts';
import { plainMessage } from '../plain-events.ts';

/** What the bench hands over, as JSON in the first argument. */
export type LiveProduction = {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  readonly users: number;
};

/** What it tells: when its first event is due, and at the end how many it has written and how late the latest was. */
export type ProducerSays = { readonly startMs: number } | { readonly sent: number; readonly behindMs: number };

const LOOK_EVERY_MS = 5;
const AHEAD_MS = 500;

const { brokers, topic, rate, seconds, seed, users }: LiveProduction = JSON.parse(
  must(process.argv[2], 'what to produce'),
);
// The bench decides when this ends.
process.on('SIGINT', () => {}).on('SIGHUP', () => {});
process.once('disconnect', () => process.exit(1));
const say = (what: ProducerSays): void => void process.send?.(what);
const writer = await openEventWriter({ brokers, topic });
const startMs = Date.now() + AHEAD_MS;
const spec = { seed, users, eventRate: rate, startTimeMs: startMs, ids: 'v7', disordered: false } as const;
const total = Math.round(rate * seconds);
let behindMs = 0;
let writing: Promise<unknown> = Promise.resolve();
say({ startMs });
for (let sent = 0; sent < total;) {
  const nowMs = Date.now();
  const due = Math.min(total, Math.floor(((nowMs - startMs) * rate) / 1000) + 1);
  if (due > sent) {
    behindMs = Math.max(behindMs, nowMs - startMs - (sent * 1000) / rate);
    const from = sent;
    const messages = Array.from({ length: due - sent }, (_, nth) => plainMessage(spec, from + nth));
    writing = Promise.all([writing, writer.write(messages)]);
    // Whatever failed is heard of at the end.
    writing.catch(() => {});
    sent = due;
  }
  await wait(LOOK_EVERY_MS);
}
await writing;
await writer.close();
process.removeAllListeners('disconnect');
process.send?.({ sent: total, behindMs: Math.round(behindMs) } satisfies ProducerSays, () => process.exit(0));
