// A produced message: key, value and record time of message i, a pure function of the spec, its segment and i.
import { isMalformed } from './disorder.ts';
import { Duplicates } from './duplicates.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import { malformedKind } from './malformed.ts';
import { dueMs } from './pace.ts';
import type { Segment } from './pace.ts';
import { Shop, messageHash } from './shop.ts';
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

/**
 * A maker for one spec. Building its world takes some 10 ms, and the first message at some place of it the sessions around
 * (up to 0.2 s); every further one near it a few microseconds.
 */
export function createMessageMaker(spec: GeneratorSpec): MessageMaker {
  const world = createWorld(spec);
  const duplicates = new Duplicates(spec, world.key);
  let setting: Setting | null = null;
  const settingOf = (segment: Segment): Setting => {
    if (setting === null || !isSame(setting.segment, segment)) {
      setting = { spec, world, duplicates, segment, shop: new Shop({ world, spec, duplicates, segment }) };
    }
    return setting;
  };
  return {
    message: (segment, index) => messageAt(settingOf(segment), index),
    messages: (segment, fromIndex, toIndex) => {
      const of = settingOf(segment);
      return Array.from({ length: Math.max(0, toIndex - fromIndex) }, (_, nth) => messageAt(of, fromIndex + nth));
    },
  };
}

const isSame = (one: Segment, other: Segment): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

type Setting = {
  readonly spec: GeneratorSpec;
  readonly world: World;
  readonly duplicates: Duplicates;
  readonly segment: Segment;
  readonly shop: Shop;
};

function messageAt(setting: Setting, index: number): ProducedMessage {
  const { spec, world, segment, duplicates } = setting;
  const timestampMs = dueMs(segment, index);
  const repetition = duplicates.kindOf(index);
  if (repetition === null) {
    const chance = messageHash(world, index);
    const { text, json } = setting.shop.event(duplicates.eventOf(index));
    const value = isMalformed(spec, chance) ? malformedKind(chance).spoil(json) : Buffer.from(json);
    return { key: text.userId, value, timestampMs };
  }
  const isWhole = (other: number): boolean => !isMalformed(spec, messageHash(world, other));
  const source = duplicates.sourceOf(index, repetition, { from: segment.fromIndex, isWhole });
  const { text, json } = setting.shop.event(duplicates.eventOf(source));
  return { key: repetition === 'elsewhere' ? text.sessionId : text.userId, value: Buffer.from(json), timestampMs };
}
