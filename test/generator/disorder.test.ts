// Disorder on request: each share as asked, each kind of trouble as promised.
import { expect, test } from 'vitest';

import { DUPLICATE_REACH, MALFORMED_KINDS, roleOf } from '../../generator/disorder.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import { messageHash } from '../../generator/shop-event.ts';
import { createWorld } from '../../generator/world.ts';
import { must } from '../../pipeline/ensure.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { Verdict } from '../../pipeline/parse-message.ts';

const SEGMENT: Segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1), rate: 500 };
const SHARES = { disorder: 0.02, duplicates: 0.01, malformed: 0.01, late: 0.005 };
const MESSAGES = 100_000;

const specOf = (given: Partial<GeneratorSpec>): GeneratorSpec => createGeneratorSpec({ topic: 't', ...given });
const make = (given: Partial<GeneratorSpec>): ProducedMessage[] =>
  createMessageMaker(specOf(given)).messages(SEGMENT, 0, MESSAGES);

const rolesOf = (spec: GeneratorSpec) => {
  const world = createWorld(spec);
  return Array.from({ length: MESSAGES }, (_, index) => roleOf(spec, messageHash(world, index)));
};

function judge({ key, value, timestampMs }: ProducedMessage): Verdict {
  const message = { offset: 0, timestampMs, key: Buffer.from(key), value, headers: [] };
  return parseMessage(message, { maxFutureMs: 300_000, retentionMs: null });
}

/** Four standard deviations of a share over so many messages: what chance may do to it. */
const tolerance = (share: number): number => 4 * Math.sqrt((share * (1 - share)) / MESSAGES);

test('each share comes out as asked', () => {
  const roles = rolesOf(specOf(SHARES));
  const share = (role: string): number => roles.filter((one) => one === role).length / MESSAGES;
  expect(Math.abs(share('disordered') - SHARES.disorder)).toBeLessThan(tolerance(SHARES.disorder));
  expect(Math.abs(share('duplicate') - SHARES.duplicates)).toBeLessThan(tolerance(SHARES.duplicates));
  expect(Math.abs(share('malformed') - SHARES.malformed)).toBeLessThan(tolerance(SHARES.malformed));
  expect(Math.abs(share('late') - SHARES.late)).toBeLessThan(tolerance(SHARES.late));
});

test('without shares every message is a plain event in time order', () => {
  expect(new Set(rolesOf(specOf({})))).toEqual(new Set(['plain']));
});

test('every message that is not malformed becomes an event, every malformed one is rejected', () => {
  const spec = specOf(SHARES);
  const roles = rolesOf(spec);
  const verdicts = make(SHARES).map(judge);
  const misjudged = verdicts.filter(({ rejection }, index) => (rejection !== null) !== (roles[index] === 'malformed'));
  const reasons = new Set(verdicts.flatMap(({ rejection }) => (rejection === null ? [] : [rejection.reason])));
  expect(misjudged).toEqual([]);
  expect(reasons).toEqual(new Set(MALFORMED_KINDS.map((kind) => kind.reason)));
});

test.each(MALFORMED_KINDS)(
  'the malformed kind "$name" is rejected as $reason, whatever the event type',
  ({ reason, spoil }) => {
    for (const message of createMessageMaker(specOf({})).messages(SEGMENT, 0, 100)) {
      const spoiled = { ...message, value: spoil(message.value.toString()) };
      expect(judge(spoiled).rejection?.reason).toBe(reason);
    }
  },
);

test('a duplicate repeats key and bytes of a plain event at most 5,000 messages before it', () => {
  const roles = rolesOf(specOf(SHARES));
  const seenAt = new Map<string, number>();
  let duplicates = 0;
  for (const [index, message] of make(SHARES).entries()) {
    const text = `${message.key} ${message.value.toString('latin1')}`;
    const before = seenAt.get(text);
    if (roles[index] === 'plain') seenAt.set(text, index);
    if (roles[index] !== 'duplicate') continue;
    duplicates += 1;
    expect(index - must(before, `an original of message ${index}`)).toBeLessThanOrEqual(DUPLICATE_REACH);
    expect(message.timestampMs).toBe(SEGMENT.startMs + index * 2);
  }
  expect(duplicates).toBeGreaterThan(800);
});

test('a duplicate never reaches behind the first message of its segment', () => {
  const maker = createMessageMaker(specOf({ duplicates: 0.5 }));
  const segment: Segment = { fromIndex: 50_000, startMs: SEGMENT.startMs, rate: 10 };
  const ids = maker.messages(segment, 50_000, 50_200).map((message) => JSON.parse(message.value.toString()).event_id);
  const own = new Set(ids);
  expect(own.size).toBeLessThan(140);
  for (const message of maker.messages(segment, 50_000, 50_200)) {
    expect(Date.parse(JSON.parse(message.value.toString()).timestamp)).toBeGreaterThanOrEqual(segment.startMs);
  }
});

test('disordered events lie seconds back, late ones minutes, the others not at all', () => {
  const shares = { disorder: 0.1, late: 0.1 };
  const roles = rolesOf(specOf(shares));
  const delays = make(shares).map(
    ({ timestampMs, value }) => timestampMs - Date.parse(JSON.parse(value.toString()).timestamp),
  );
  const range = (role: string): [number, number] => {
    const those = delays.filter((_, index) => roles[index] === role);
    return [Math.min(...those), Math.max(...those)];
  };
  expect(range('plain')).toEqual([0, 0]);
  expect(range('disordered')).toEqual([1, 10_000]);
  const [least, most] = range('late');
  expect(least).toBeGreaterThanOrEqual(600_000);
  expect(most).toBeLessThanOrEqual(3_600_000);
  expect(most - least).toBeGreaterThan(2_990_000);
});
