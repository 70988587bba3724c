// Disorder on request: each share as asked, each kind of trouble as promised, and nothing of it unasked.
import { expect, test } from 'vitest';

import { delayMs, isMalformed } from '../../generator/disorder.ts';
import { DUPLICATE_REACH, Duplicates } from '../../generator/duplicates.ts';
import { createGeneratorSpec, generatorSpecProblems } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import { MALFORMED_KINDS, malformedKind } from '../../generator/malformed.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import { messageHash } from '../../generator/shop.ts';
import { shopperAt, skewMs } from '../../generator/shoppers.ts';
import { createWorld } from '../../generator/world.ts';
import { partitionOf } from '../../kafka/choose-partition.ts';
import { must } from '../../pipeline/ensure.ts';
import type { EventFields } from '../../pipeline/event.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { Verdict } from '../../pipeline/parse-message.ts';

const SEGMENT: Segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1, 12), rate: 500 };
const SHARES = { disorder: 0.02, duplicates: 0.01, malformed: 0.01, late: 0.005 };
const MESSAGES = 50_000;

const specOf = (given: Partial<GeneratorSpec>): GeneratorSpec => createGeneratorSpec({ topic: 't', ...given });
const make = (given: Partial<GeneratorSpec>, count = MESSAGES): ProducedMessage[] =>
  createMessageMaker(specOf(given)).messages(SEGMENT, 0, count);
const read = ({ value }: ProducedMessage): EventFields => JSON.parse(value.toString());

function judge({ key, value, timestampMs }: ProducedMessage): Verdict {
  const message = { offset: 0, timestampMs, key: Buffer.from(key), value, headers: [] };
  return parseMessage(message, { maxFutureMs: 300_000, retentionMs: null });
}

/** Four standard deviations of a share over so many independent draws: what chance may do to it. */
const tolerance = (share: number, draws = MESSAGES): number => 4 * Math.sqrt((share * (1 - share)) / draws);

/** How long after it happened each message is due, ms. */
const delaysOf = (messages: readonly ProducedMessage[]): number[] =>
  messages.map((message) => message.timestampMs - Date.parse(read(message).timestamp));

test('without shares every message is an event of its own, told when it happens', () => {
  const messages = make({});
  expect(new Set(delaysOf(messages))).toEqual(new Set([0]));
  expect(new Set(messages.map((message) => read(message).event_id)).size).toBe(MESSAGES);
  expect(messages.map(judge).filter(({ rejection }) => rejection !== null)).toEqual([]);
});

test('the share out of order comes as asked, seconds back and never more than said', () => {
  const spec = specOf({ disorder: 0.02, disorderMs: 8_000 });
  const delays = delaysOf(make(spec)).filter((delay) => delay > 0);
  expect(Math.abs(delays.length / MESSAGES - 0.02)).toBeLessThan(tolerance(0.02));
  expect(Math.max(...delays)).toBeLessThanOrEqual(8_000);
  const sorted = delays.toSorted((one, other) => one - other);
  expect(must(sorted[sorted.length >> 1], 'a median')).toBeGreaterThan(500);
  expect(must(sorted[sorted.length >> 1], 'a median')).toBeLessThan(2_000);
  const drawn = Array.from({ length: 20_000 }, (_, hash) => delayMs({ ...spec, disorder: 1 }, hash));
  expect(Math.min(...drawn)).toBeGreaterThan(0);
  expect(Math.max(...drawn)).toBe(8_000);
});

test('on a schedule that has become slower nobody tells of longer ago than was asked for', () => {
  const slower: Segment = { ...SEGMENT, rate: 50 };
  const maker = createMessageMaker(specOf({ disorder: 0.05, disorderMs: 8_000 }));
  const delays = delaysOf(maker.messages(slower, 0, 20_000));
  expect(Math.max(...delays)).toBe(8_000);
  expect(Math.min(...delays)).toBe(0);
});

test('the share of late events comes as asked, minutes to an hour back, each traveller always by the same', () => {
  const messages = make({ late: 0.02 });
  const late = messages.filter((message, index) => delaysOf([message])[0] !== 0 && index >= 0);
  // Lateness is a session's, of 5.7 events on the average and up to some dozens: chance may do more to it.
  expect(Math.abs(late.length / MESSAGES - 0.02)).toBeLessThan(tolerance(0.02) * 3);
  const delays = delaysOf(late);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(600_000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(3_600_000);
  expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(2_500_000);
  const byUser = new Set(late.map((message, nth) => `${message.key} ${delays[nth]}`));
  expect(byUser.size).toBe(new Set(late.map(({ key }) => key)).size);
});

test('every message that is not malformed becomes an event, every malformed one is rejected', () => {
  const spec = specOf(SHARES);
  const { key } = createWorld(spec);
  const duplicates = new Duplicates(spec, key);
  const world = createWorld(spec);
  const isSpoiled = (index: number): boolean =>
    duplicates.kindOf(index) === null && isMalformed(spec, messageHash(world, index));
  const verdicts = make(SHARES).map(judge);
  const misjudged = verdicts.filter(({ rejection }, index) => (rejection !== null) !== isSpoiled(index));
  expect(misjudged).toEqual([]);
  const rejected = verdicts.filter(({ rejection }) => rejection !== null).length;
  expect(Math.abs(rejected / MESSAGES - 0.01)).toBeLessThan(tolerance(0.01));
});

test('malformed messages are of every kind, as often as its weight says', () => {
  const draws = 40_000;
  const kinds = Array.from({ length: draws }, (_, hash) => malformedKind(hash).name);
  const weights = MALFORMED_KINDS.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight } of MALFORMED_KINDS) {
    const share = kinds.filter((kind) => kind === name).length / draws;
    expect(Math.abs(share - weight / weights), name).toBeLessThan(tolerance(weight / weights, draws));
  }
  expect(MALFORMED_KINDS.length).toBeGreaterThanOrEqual(10);
});

test.each(MALFORMED_KINDS)(
  'the malformed kind "$name" is rejected as $reason, whatever the event type',
  ({ reason, spoil }) => {
    for (const message of make({}, 100)) {
      const spoiled = { ...message, value: spoil(message.value.toString()) };
      expect(judge(spoiled).rejection?.reason).toBe(reason);
    }
  },
);

test('duplicates repeat the bytes of an earlier message, in their shares, and no event is left out for them', () => {
  const given = { duplicates: 0.02, duplicatesLater: 0.004, duplicatesElsewhere: 0.01, malformed: 0.05 };
  const spec = specOf(given);
  const duplicates = new Duplicates(spec, createWorld(spec).key);
  const seenAt = new Map<string, number>();
  const counts = { soon: 0, later: 0, elsewhere: 0 };
  const messages = make(given, 130_000);
  let moved = 0;
  for (const [index, message] of messages.entries()) {
    const text = message.value.toString('latin1');
    const kind = duplicates.kindOf(index);
    if (kind === null) {
      if (text !== '') seenAt.set(text, index);
      continue;
    }
    counts[kind] += 1;
    const behind = index - must(seenAt.get(text), `an original of message ${index}`);
    expect(message.timestampMs).toBe(SEGMENT.startMs + index * 2);
    expect(message.key === read(message).user_id).toBe(kind !== 'elsewhere');
    const partitions = [message.key, read(message).user_id].map((key) => partitionOf(Buffer.from(key), 6));
    if (partitions[0] !== partitions[1]) moved += 1;
    // At the beginning there is nothing yet that lies three minutes back.
    const isEarly = kind !== 'later' || index < 110_000;
    expect(behind).toBeGreaterThan(isEarly ? 0 : 79_900);
    expect(behind).toBeLessThan(kind === 'later' ? 100_100 : DUPLICATE_REACH + 20);
  }
  // Under another key one in six comes to the same partition by chance.
  expect(Math.abs(moved / counts.elsewhere - 5 / 6)).toBeLessThan(tolerance(5 / 6, counts.elsewhere));
  const share = (kind: keyof typeof counts): number => counts[kind] / messages.length;
  expect(Math.abs(share('soon') - 0.02)).toBeLessThan(tolerance(0.02, messages.length));
  expect(Math.abs(share('later') - 0.004)).toBeLessThan(tolerance(0.004, messages.length));
  expect(Math.abs(share('elsewhere') - 0.01)).toBeLessThan(tolerance(0.01, messages.length));
});

test('duplicates come on top: the events without them are those of a world that has none', () => {
  const spec = specOf({ duplicates: 0.3 });
  const duplicates = new Duplicates(spec, createWorld(spec).key);
  const types = (messages: readonly ProducedMessage[]): string[] => messages.map((message) => read(message).event_type);
  const told = types(make(spec, 1_400).filter((_, index) => duplicates.kindOf(index) === null));
  expect(told.length).toBeGreaterThan(900);
  expect(told).toEqual(types(make({}, told.length)));
});

test('a duplicate never reaches out of its segment', () => {
  const maker = createMessageMaker(specOf({ duplicates: 0.5 }));
  const segment: Segment = { fromIndex: 50_000, startMs: SEGMENT.startMs, rate: 10 };
  const messages = maker.messages(segment, 50_000, 50_200);
  expect(new Set(messages.map((message) => read(message).event_id)).size).toBeLessThan(140);
  for (const message of messages) {
    expect(Date.parse(read(message).timestamp)).toBeGreaterThanOrEqual(segment.startMs);
  }
});

test('which event a message tells, and which message tells an event, are each other’s inverse', () => {
  for (const share of [0, 0.001, 0.3, 0.5, 0.66, 0.9, 1]) {
    const duplicates = new Duplicates(specOf({ duplicates: share }), 7);
    for (let event = 0; event < 300; event++) {
      const message = duplicates.messageOf(event);
      expect(duplicates.kindOf(message)).toBe(null);
      expect(duplicates.eventOf(message)).toBe(event);
    }
  }
});

test('a share of the devices has a clock that is wrong, each always by the same', () => {
  const { population } = createWorld({ seed: 1, users: 10_000 });
  const skew = { share: 0.05, mostMs: 60_000 };
  const skews = Array.from({ length: 10_000 }, (_, number) => skewMs(shopperAt(population, number).hash, skew));
  const wrong = skews.filter((ms) => ms !== 0);
  expect(Math.abs(wrong.length / 10_000 - 0.05)).toBeLessThan(tolerance(0.05, 10_000));
  expect(Math.max(...wrong)).toBeGreaterThan(50_000);
  expect(Math.min(...wrong)).toBeLessThan(-50_000);
  expect(Math.max(...wrong.map(Math.abs))).toBeLessThanOrEqual(60_000);
  const messages = make({ clockSkew: 0.05, clockSkewMs: 60_000 });
  const delays = delaysOf(messages);
  const users = new Set(messages.map(({ key }) => key));
  expect(new Set(messages.map(({ key }, index) => `${key} ${delays[index]}`)).size).toBe(users.size);
  expect(new Set(delays).size).toBeGreaterThan(100);
});

test('a share leaves out the fields it may, and then all others carry them', () => {
  const events = make({ missingOptional: 0.2, newerSchema: 0.5 }).map((message) => read(message));
  const sparse = events.filter((event) => event.schema_version === undefined).length;
  expect(Math.abs(sparse / MESSAGES - 0.1)).toBeLessThan(tolerance(0.1));
  const coupons = events.filter((event) => event.coupon_code !== undefined).length;
  expect(coupons).toBeGreaterThan(500);
  expect(
    make({ missingOptional: 0.2, newerSchema: 0.5 }, 2_000)
      .map(judge)
      .filter(({ event }) => event === null),
  ).toEqual([]);
});

test('a share beyond 1 is refused, alone or in sum', () => {
  expect(generatorSpecProblems({ ...specOf({}), clockSkew: 2 })).toEqual([
    'Share clockSkew is 2, but must lie between 0 and 1.',
  ]);
  expect(generatorSpecProblems({ ...specOf({}), duplicatesLater: 0.6, malformed: 0.6 })).toHaveLength(1);
});
