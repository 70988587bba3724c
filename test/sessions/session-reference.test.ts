// The reference itself, held to what sessions are: their edges, and that the order of events and late ones change nothing.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { FUNNELS } from '../../pipeline/funnel.ts';
import { micros } from './random-events.ts';
import { referenceFunnel, referenceSessions } from './session-reference.ts';
import type { ReferenceEvent, ReferenceSession } from './session-reference.ts';

const TEN = micros('2026-11-01T10:00:00Z');
const MS = 1_000n;
const SECOND = 1_000n * MS;
const MINUTE = 60n * SECOND;
const RULES = { gapMs: 30 * 60_000, maxMs: 12 * 3_600_000 };
const GAP = 30n * MINUTE;
const END_OF_TIME = micros('9000-01-01T00:00:00Z');

let made = 0;

/** A page view of u1, `after` microseconds behind ten o'clock. */
function event(after: bigint, changes: Partial<ReferenceEvent> = {}): ReferenceEvent {
  made += 1;
  return {
    id: String(made),
    at: TEN + after,
    type: 'page_view',
    user: 'u1',
    device: 'mobile',
    location: 'Berlin',
    texts: {},
    quantity: 0,
    price: 0n,
    bought: [],
    amount: 0n,
    ...changes,
  };
}

function sessions(events: readonly ReferenceEvent[], through = END_OF_TIME, rules = RULES): ReferenceSession[] {
  return referenceSessions(events, { rules, funnels: FUNNELS, through });
}

/** Start and end of each session, in microseconds behind ten o'clock. */
const spans = (found: readonly ReferenceSession[]): [bigint, bigint][] =>
  found.map(({ start, end }) => [start - TEN, end - TEN]);

const someEvents = fc.array(
  fc.record({ after: fc.bigInt({ min: -(10n ** 10n), max: 10n ** 11n }), user: fc.constantFrom('u1', 'u2') }),
  { minLength: 1, maxLength: 40 },
);

describe('a session', () => {
  test('goes on exactly the gap later, and ends a microsecond or a millisecond more later', () => {
    expect(spans(sessions([event(0n), event(GAP)]))).toEqual([[0n, GAP]]);
    for (const more of [1n, MS]) {
      expect(spans(sessions([event(0n), event(GAP + more)]))).toEqual([
        [0n, 0n],
        [GAP + more, GAP + more],
      ]);
    }
  });

  test('is open until the gap has passed since its last event, and closed from then on', () => {
    const open = (through: bigint): boolean[] =>
      sessions([event(0n), event(MINUTE)], TEN + through).map((one) => one.open);
    expect(open(MINUTE + GAP)).toEqual([true]);
    expect(open(MINUTE + GAP + 1n)).toEqual([false]);
    expect(open(MINUTE)).toEqual([true]);
    expect(open(0n)).toEqual([]);
  });

  test('of two becomes one when a late event lies between them, and only then', () => {
    const apart = [event(0n), event(2n * GAP)];
    expect(sessions(apart)).toHaveLength(2);
    expect(spans(sessions([...apart, event(GAP)]))).toEqual([[0n, 2n * GAP]]);
    expect(sessions([...apart, event(GAP, { user: 'u2' })])).toHaveLength(3);
  });

  test('is cut from the minute of its first event on, each maximum again, and the last part alone can be open', () => {
    const rules = { gapMs: 5 * 60_000, maxMs: 10 * 60_000 };
    // From 10:00:30 on, every two minutes: cuts at 10:10:00, 10:20:00.
    const events = Array.from({ length: 13 }, (_, index) => event(30n * SECOND + 2n * MINUTE * BigInt(index)));
    const found = sessions(events, TEN + 25n * MINUTE, rules);
    expect(spans(found).map(([start, end]) => [Number(start / SECOND), Number(end / SECOND)])).toEqual([
      [30, 510],
      [630, 1110],
      [1230, 1470],
    ]);
    expect(found.map(({ cut, open, activeSince }) => [cut, open, activeSince - TEN])).toEqual([
      [true, false, 30n * SECOND],
      [true, false, 30n * SECOND],
      [false, true, 30n * SECOND],
    ]);
  });

  test('is cut at the boundary itself, not a microsecond before', () => {
    const rules = { gapMs: 10 * 60_000, maxMs: 10 * 60_000 };
    expect(sessions([event(59n * SECOND), event(10n * MINUTE - 1n)], END_OF_TIME, rules)).toHaveLength(1);
    expect(sessions([event(59n * SECOND), event(10n * MINUTE)], END_OF_TIME, rules)).toHaveLength(2);
  });

  test('before 1970 is cut from the minute before its first event too', () => {
    const rules = { gapMs: 60 * 60_000, maxMs: 10 * 60_000 };
    const at = (iso: string): ReferenceEvent => event(micros(iso) - TEN);
    const found = sessions([at('1969-12-31T23:49:30Z'), at('1969-12-31T23:58:59Z')], END_OF_TIME, rules);
    expect(found).toHaveLength(1);
    expect(sessions([at('1969-12-31T23:49:30Z'), at('1969-12-31T23:59:00Z')], END_OF_TIME, rules)).toHaveLength(2);
  });

  test('takes the smallest of several devices, entry pages and referrers of one instant, and the greatest exit page', () => {
    const view = (after: bigint, page: string, referrer: string): ReferenceEvent =>
      event(after, { texts: { page, referrer }, device: page });
    const [found] = sessions([
      event(0n, { type: 'search', device: 'zebra' }),
      event(0n, { type: 'search', device: 'Zebra' }),
      view(MINUTE, 'home', 'social'),
      view(MINUTE, 'cart', 'direct'),
      view(2n * MINUTE, 'cart', 'direct'),
      view(2n * MINUTE, 'home', 'direct'),
    ]);
    expect(found).toMatchObject({
      device: 'Zebra',
      location: 'Berlin',
      entryPage: 'cart',
      firstReferrer: 'direct',
      exitPage: 'home',
    });
  });

  test('bounces with one page at most and nothing else but logins', () => {
    const bounced = (...types: string[]): boolean | undefined =>
      sessions(types.map((type, index) => event(BigInt(index), { type })))[0]?.bounced;
    expect(bounced('page_view')).toBe(true);
    expect(bounced('user_login')).toBe(true);
    expect(bounced('user_login', 'page_view')).toBe(true);
    expect(bounced('page_view', 'page_view')).toBe(false);
    for (const type of ['item_click', 'search', 'cart_add', 'purchase']) expect(bounced('page_view', type)).toBe(false);
  });

  test('leaves behind what was not bought, item by item, at the average price of the item', () => {
    const add = (item: string, quantity: number, price: bigint): ReferenceEvent =>
      event(0n, { type: 'cart_add', texts: { item_id: item }, quantity, price });
    const buy = (...lines: [string, number][]): ReferenceEvent =>
      event(1n, { type: 'purchase', bought: lines.map(([item, quantity]) => ({ item, quantity })), amount: 5n });
    const left = (...events: ReferenceEvent[]): bigint | undefined => sessions(events)[0]?.cartLeft;
    expect(left(add('a', 2, 100n))).toBe(200n);
    expect(left(add('a', 1, 100n), add('a', 3, 200n), buy(['a', 2]))).toBe(350n);
    expect(left(add('a', 1, 100n), buy(['a', 1], ['a', 4], ['b', 1]))).toBe(0n);
    expect(left(add('a', 1, 100n), add('b', 1, 7n), buy(['a', 3]))).toBe(7n);
    // Half a cent rounds up, of each item by itself: 1.5 + 1.5 cents.
    expect(left(add('a', 1, 1n), add('a', 1, 2n), buy(['a', 1]), add('b', 1, 1n), add('b', 1, 2n), buy(['b', 1]))).toBe(
      4n,
    );
  });
});

describe('any events', () => {
  test('make the same sessions in whatever order they come, late ones included', () => {
    fc.assert(
      fc.property(
        someEvents.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, other]) => {
          const events = list.map(({ after, user }) => event(after, { user }));
          const again = other.map((one) => events[list.indexOf(one)] ?? event(0n));
          expect(sessions(again)).toEqual(sessions(events));
        },
      ),
    );
  });

  test('are each in one session, sessions of a user lie apart, and an event more never makes two of one', () => {
    fc.assert(
      fc.property(someEvents, (list) => {
        const events = list.map(({ after, user }) => event(after, { user }));
        const before = sessions(events.slice(1));
        const found = sessions(events);
        expect(found.reduce((sum, { counts }) => sum + counts.events, 0)).toBe(events.length);
        const pauses = found.flatMap((one, index) => {
          const next = found[index + 1];
          return next?.user === one.user && !one.cut ? [next.start - one.end] : [];
        });
        expect(pauses.filter((pause) => pause <= GAP)).toEqual([]);
        // Islands alone: what a cut makes of them may begin elsewhere.
        for (const { user, activeSince, end } of before) {
          const around = found.filter((one) => one.user === user && one.activeSince <= activeSince);
          expect(around.some((one) => one.end >= end)).toBe(true);
        }
      }),
    );
  });
});

describe('a funnel', () => {
  const FUNNEL = {
    name: 'f',
    withinMs: 60_000,
    steps: [
      { name: 'a', type: 'search' },
      { name: 'b', type: 'item_click' },
      { name: 'c', type: 'purchase' },
    ],
  };
  const reached = (...done: [bigint, string][]): bigint[] => {
    const events = done.map(([after, type]) => event(after, { type }));
    const [found] = referenceSessions(events, { rules: RULES, funnels: [FUNNEL], through: END_OF_TIME });
    return (found?.funnels['f'] ?? []).map((at) => at - TEN);
  };

  test('counts a step only strictly after the one before, and within its limit after the first', () => {
    expect(reached([0n, 'item_click'], [1n, 'search'])).toEqual([1n]);
    expect(reached([5n, 'search'], [5n, 'item_click'])).toEqual([5n]);
    expect(reached([5n, 'search'], [6n, 'item_click'], [6n, 'purchase'])).toEqual([5n, 6n]);
    expect(reached([0n, 'search'], [1n, 'item_click'], [MINUTE, 'purchase'])).toEqual([0n, 1n, MINUTE]);
    expect(reached([0n, 'search'], [1n, 'item_click'], [MINUTE + 1n, 'purchase'])).toEqual([0n, 1n]);
  });

  test('counts a step once, when it was done first, and nothing when it was not entered', () => {
    expect(reached([0n, 'search'], [3n, 'search'], [4n, 'item_click'], [5n, 'item_click'])).toEqual([0n, 4n]);
    expect(reached([0n, 'item_click'], [1n, 'purchase'])).toEqual([]);
  });

  test('has a row of every step for each device and place, shares of the step before, and discrete percentiles', () => {
    const walk = (user: string, ...done: [bigint, string][]): ReferenceEvent[] =>
      done.map(([after, type]) => event(after, { user, type, amount: type === 'purchase' ? 250n : 0n }));
    const events = [
      ...walk('u1', [0n, 'search'], [2n, 'item_click'], [9n, 'purchase']),
      ...walk('u2', [0n, 'search'], [4n, 'item_click']),
      ...walk('u3', [0n, 'search'], [6n, 'item_click']),
      ...walk('u4', [0n, 'purchase']),
    ];
    const found = referenceSessions(events, { rules: RULES, funnels: [FUNNEL], through: END_OF_TIME });
    expect(referenceFunnel(found, [FUNNEL])).toMatchObject([
      {
        step: 1,
        sessions: 4,
        reached: 3,
        conversion: 7500n,
        overall: 10_000n,
        dropOff: 1,
        median: null,
        p90: null,
        revenue: 250n,
      },
      {
        step: 2,
        sessions: 4,
        reached: 3,
        conversion: 10_000n,
        overall: 10_000n,
        dropOff: 0,
        median: 4n,
        p90: 6n,
        revenue: 250n,
      },
      {
        step: 3,
        sessions: 4,
        reached: 1,
        conversion: 3333n,
        overall: 3333n,
        dropOff: 2,
        median: 7n,
        p90: 7n,
        revenue: 250n,
      },
    ]);
    const nobody = referenceSessions(walk('u9', [0n, 'purchase']), {
      rules: RULES,
      funnels: [FUNNEL],
      through: END_OF_TIME,
    });
    expect(referenceFunnel(nobody, [FUNNEL])).toMatchObject([
      { step: 1, sessions: 1, reached: 0, conversion: 0n, overall: null, dropOff: 1, revenue: 0n },
      { step: 2, reached: 0, conversion: null, overall: null, dropOff: 0, median: null, p90: null },
      { step: 3, reached: 0, conversion: null },
    ]);
  });
});
