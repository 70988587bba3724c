// A produced message: key, value and record time of message i, a pure function of the spec, its segment and i.
import { delayMs, duplicatedIndex, isOfNewerSchema, malformedKind, roleOf } from './disorder.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import { dueMs } from './pace.ts';
import type { Segment } from './pace.ts';
import { messageHash, shopEventAt } from './shop-event.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

/** What goes to Kafka. `timestampMs` is the record's time: when the message is due, so that history is not "in the future". */
export type ProducedMessage = {
  readonly key: string;
  readonly value: Buffer;
  readonly timestampMs: number;
};

/** Makes any message of a spec, in any order, again and again the same. */
export type MessageMaker = {
  message(segment: Segment, index: number): ProducedMessage;
  /** Messages from `fromIndex` up to, not including, `toIndex`. */
  messages(segment: Segment, fromIndex: number, toIndex: number): ProducedMessage[];
};

/** A maker for one spec. Building its world takes some 10 ms; a message then takes a few microseconds. */
export function createMessageMaker(spec: GeneratorSpec): MessageMaker {
  const world = createWorld(spec);
  const message = (segment: Segment, index: number): ProducedMessage => messageAt({ spec, world, segment }, index);
  return {
    message,
    messages: (segment, fromIndex, toIndex) =>
      Array.from({ length: Math.max(0, toIndex - fromIndex) }, (_, nth) => message(segment, fromIndex + nth)),
  };
}

type Setting = { readonly spec: GeneratorSpec; readonly world: World; readonly segment: Segment };

function messageAt(setting: Setting, index: number): ProducedMessage {
  const { spec, world, segment } = setting;
  const chance = messageHash(world, index);
  const role = roleOf(spec, chance);
  const timestampMs = dueMs(segment, index);
  if (role === 'duplicate') {
    // A segment's bytes depend on nothing outside it, so a duplicate looks back no further than its first message.
    const isPlain = (other: number): boolean => roleOf(spec, messageHash(world, other)) === 'plain';
    const source = duplicatedIndex({ index, firstIndex: segment.fromIndex, chance }, isPlain);
    if (source !== null) return { ...messageAt(setting, source), timestampMs };
  }
  const occurredAtMs = Math.max(0, timestampMs - delayMs(spec, role, chance));
  const { userId, json } = shopEventAt(world, index, { occurredAtMs, newerSchema: isOfNewerSchema(spec, chance) });
  const value = role === 'malformed' ? malformedKind(chance).spoil(json) : Buffer.from(json);
  return { key: userId, value, timestampMs };
}
