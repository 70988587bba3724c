// The generator's world as its messages show it: repeatable to the byte, believable in its numbers.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import type { EventFields } from '../../pipeline/event.ts';
import { must } from '../../pipeline/ensure.ts';
import { hashOf } from './hash-program.ts';

const SEGMENT: Segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1), rate: 500 };
const NOON = Date.UTC(2026, 2, 1, 12);
const EVERYTHING = {
  disorder: 0.05,
  late: 0.05,
  malformed: 0.05,
  newerSchema: 0.1,
  missingOptional: 0.1,
  clockSkew: 0.02,
  duplicates: 0.02,
  duplicatesLater: 0.002,
  duplicatesElsewhere: 0.01,
};
const make = (given: Partial<GeneratorSpec> = {}) => createMessageMaker(createGeneratorSpec({ topic: 't', ...given }));
const read = ({ value }: ProducedMessage): EventFields => JSON.parse(value.toString());

const hundredThousand = make().messages(SEGMENT, 0, 100_000).map(read);

/** Disorder of every kind, and messages enough for more than two blocks of sessions. */
const GOLDEN_HASH = 'ade2e6c88797c2728dab068c9f626e66e7cc3eaf6c582b66e22f251411cca1b3';
const GOLDEN = { ...EVERYTHING, rate: 2_000 };
const GOLDEN_SEGMENT: Segment = { ...SEGMENT, rate: 2_000 };
const GOLDEN_COUNT = 80_000;

test('the same seed and settings make the same bytes for ever', () => {
  const first = hashOf(make(GOLDEN).messages(GOLDEN_SEGMENT, 0, GOLDEN_COUNT));
  expect(first).toBe(GOLDEN_HASH);
  expect(hashOf(make({ ...GOLDEN, seed: 2 }).messages(GOLDEN_SEGMENT, 0, GOLDEN_COUNT))).not.toBe(first);
});

test.each([3, 7])('%i leases, each with a maker of its own, make the bytes of one', (leases) => {
  const bounds = Array.from({ length: leases + 1 }, (_, nth) => Math.round((nth * GOLDEN_COUNT) / leases));
  // The last lease first: nobody may depend on what was made before.
  const parts = bounds.slice(1).map((to, nth) => ({ from: must(bounds[nth], 'a bound'), to }));
  const made = parts.toReversed().map(({ from, to }) => make(GOLDEN).messages(GOLDEN_SEGMENT, from, to));
  expect(hashOf(made.toReversed().flat())).toBe(GOLDEN_HASH);
});

test('another process makes the same bytes', () => {
  const program = fileURLToPath(new URL('hash-program.ts', import.meta.url));
  const asked = JSON.stringify({ spec: createGeneratorSpec({ topic: 't', ...GOLDEN }), segment: GOLDEN_SEGMENT });
  const args = ['--import', 'tsx', program, asked, String(GOLDEN_COUNT)];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()).toBe(GOLDEN_HASH);
}, 60_000);

test('a crash and a resume change nothing: messages made from any index on are those of a run that was never interrupted', () => {
  const maker = make(EVERYTHING);
  const whole = maker.messages(SEGMENT, 0, 12_000);
  for (const index of [1, 777, 5_000, 11_999]) {
    expect(hashOf(make(EVERYTHING).messages(SEGMENT, index, 12_000))).toBe(hashOf(whole.slice(index)));
  }
});

test('whatever the rate of the schedule: the same people do the same things in the same order', () => {
  const deeds = (rate: number): string[] =>
    make({ rate: 500 })
      .messages({ fromIndex: 0, startMs: NOON, rate }, 0, 5_000)
      .map((message) => {
        const { event_id: _id, timestamp: _time, duration_seconds: _seconds, ...deed } = read(message);
        return JSON.stringify(deed);
      });
  expect(deeds(5_000)).toEqual(deeds(500));
});

test('no event id comes twice in 200,000 messages without duplicates, and each is a uuid v7 of its event time', () => {
  const events = make()
    .messages({ ...SEGMENT, rate: 100_000 }, 0, 200_000)
    .map(read);
  const v7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  const timeOf = (id: string): number => parseInt(id.replace('-', '').slice(0, 12), 16);
  expect(new Set(events.map((event) => event.event_id)).size).toBe(200_000);
  expect(events.filter((event) => !v7.test(event.event_id))).toEqual([]);
  expect(events.filter((event) => timeOf(event.event_id) !== Date.parse(event.timestamp))).toEqual([]);
});

test('what people search for has words, a result count, and a click only among the results', () => {
  const searches = hundredThousand.filter((event) => event.event_type === 'search');
  const clicks = searches.filter((event) => (event.clicked_position ?? null) !== null);
  expect(searches.filter((event) => !/^\S.{2,60}$/.test(event.search_query ?? ''))).toEqual([]);
  expect(clicks.length / searches.length).toBeGreaterThan(0.4);
  expect(clicks.filter((event) => Number(event.clicked_position) > Number(event.results_count))).toEqual([]);
});

test('a message is keyed by its user and stamped with the time at which it is due', () => {
  const maker = make();
  for (const index of [0, 1, 999, 54_321]) {
    const message = maker.message({ fromIndex: 0, startMs: SEGMENT.startMs, rate: 250 }, index);
    expect(message.key).toBe(read(message).user_id);
    expect(message.timestampMs).toBe(SEGMENT.startMs + index * 4);
    expect(Date.parse(read(message).timestamp)).toBe(message.timestampMs);
  }
});
