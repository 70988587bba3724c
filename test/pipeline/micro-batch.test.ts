// Micro-batches: every offset of a fetch is accounted for, whatever the messages are and wherever a batch is cut.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Counts } from '../../pipeline/checkpoint.ts';
import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import { addCounts, countsOf, formMicroBatch } from '../../pipeline/micro-batch.ts';
import { refuseOnlyEvent, replaysOf, splitMicroBatch } from '../../pipeline/micro-batch.ts';
import type { MicroBatch } from '../../pipeline/micro-batch.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { Verdict } from '../../pipeline/parse-message.ts';
import { RecentIdentities } from '../../pipeline/recent-identities.ts';
import { withReplayHeaders } from '../../pipeline/replay-headers.ts';
import { messageOf, pageView } from '../support/messages.ts';

/** A fetch: which event (a small number, so that some repeat), garbage or hole stands at each offset. */
const fetches = fc.array(fc.oneof(fc.nat({ max: 12 }), fc.constant('garbage'), fc.constant('hole')), { maxLength: 60 });
const firstOffsets = fc.nat({ max: 1_000_000 });

const judge = (message: ReturnType<typeof messageOf>): Verdict =>
  parseMessage(message, { maxFutureMs: 300_000, retentionMs: null });
const uuid = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;

function batchOf(fetch: readonly (number | string)[], fromOffset: number): MicroBatch {
  const messages = fetch.flatMap((what, index) => {
    if (what === 'hole') return [];
    return messageOf(fromOffset + index, typeof what === 'number' ? pageView({ event_id: uuid(what) }) : what);
  });
  return formMicroBatch({ messages, fromOffset, nextOffset: fromOffset + fetch.length }, judge, new RecentIdentities());
}

const lawHolds = (batch: MicroBatch, counts: Counts): boolean =>
  unaccountedOffsets({ firstOffset: batch.fromOffset, nextOffset: batch.toOffset, counts }) === 0;

test('every offset of a fetch is recorded, a duplicate, rejected or skipped', () => {
  fc.assert(
    fc.property(fetches, firstOffsets, (fetch, fromOffset) => {
      const batch = batchOf(fetch, fromOffset);
      const counts = countsOf(batch, 0);
      expect(lawHolds(batch, counts)).toBe(true);
      expect(counts.recorded).toBe(new Set(fetch.filter((what) => typeof what === 'number')).size);
      expect(counts.rejected).toBe(fetch.filter((what) => what === 'garbage').length);
      expect(counts.skipped).toBe(fetch.filter((what) => what === 'hole').length);
    }),
  );
});

test('a batch cut in two covers the same offsets, and each half keeps the conservation law by itself', () => {
  fc.assert(
    fc.property(fetches, firstOffsets, (fetch, fromOffset) => {
      const batch = batchOf(fetch, fromOffset);
      fc.pre(batch.events.length >= 2);
      const [first, second] = splitMicroBatch(batch);
      expect([first.fromOffset, first.toOffset]).toEqual([batch.fromOffset, second.fromOffset]);
      expect(second.toOffset).toBe(batch.toOffset);
      expect(first.events.length).toBeGreaterThan(0);
      expect(second.events.length).toBeGreaterThan(0);
      expect(lawHolds(first, countsOf(first, 0)) && lawHolds(second, countsOf(second, 0))).toBe(true);
      expect(addCounts(countsOf(first, 0), countsOf(second, 0))).toEqual(countsOf(batch, 0));
    }),
  );
});

test('a batch that starts anew after a failed commit finds its events again when the memory of identities is new', () => {
  const recent = new RecentIdentities();
  const fetched = { messages: [messageOf(7, pageView())], fromOffset: 7, nextOffset: 8 };
  expect(formMicroBatch(fetched, judge, recent).events).toHaveLength(1);
  // This is what would lose the event: the same memory after a commit that failed.
  expect(formMicroBatch(fetched, judge, recent).events).toHaveLength(0);
  expect(formMicroBatch(fetched, judge, new RecentIdentities()).events).toHaveLength(1);
});

test('an identity is remembered for at least the capacity, and both its parts count', () => {
  const recent = new RecentIdentities(100);
  const event = (n: number, timestamp = '2026-11-01T10:00:00Z') => {
    const verdict = judge(messageOf(n, pageView({ event_id: uuid(n), timestamp })));
    if (!verdict.event) throw new Error(verdict.rejection.detail);
    return verdict.event;
  };
  expect(recent.add(event(0))).toBe(true);
  expect(recent.add(event(0))).toBe(false);
  expect(recent.add(event(0, '2026-11-01T10:00:00.000001Z'))).toBe(true);
  for (let n = 1; n <= 150; n++) recent.add(event(n));
  expect(recent.add(event(60))).toBe(false);
});

test('the only event of a batch that PostgreSQL refuses becomes its dead letter', () => {
  const refused = refuseOnlyEvent(batchOf(['garbage', 1, 1, 'hole'], 4), 'PostgreSQL refused the row.');
  // The repetition behind it is no duplicate of a refused event: it is left to be read again.
  expect([refused.fromOffset, refused.toOffset]).toEqual([4, 6]);
  expect(refused.events).toHaveLength(0);
  expect(refused.rejected).toMatchObject([
    { message: { offset: 4 }, rejection: { reason: 'not_json' } },
    { message: { offset: 5 }, rejection: { reason: 'unstorable' } },
  ]);
  expect(lawHolds(refused, countsOf(refused, 0))).toBe(true);
});

/** One message at each offset from 4 on, which repeats the letter of its offset + 100. */
function replaying(...what: (number | 'garbage')[]): MicroBatch {
  const messages = what.map((each, index) => {
    const headers = withReplayHeaders([], { letter: index + 104, attempt: 2, replay: 'r1' });
    return messageOf(index + 4, each === 'garbage' ? each : pageView({ event_id: uuid(each) }), { headers });
  });
  return formMicroBatch({ messages, fromOffset: 4, nextOffset: 4 + what.length }, judge, new RecentIdentities());
}

test('each replay of a batch comes with the event it became, also as a duplicate, or with none', () => {
  const replays = replaysOf(replaying(1, 'garbage', 1, 2));
  expect(replays.map(({ letter, offset, event }) => [letter, offset, event?.eventId ?? null])).toEqual([
    [104, 4, uuid(1)],
    [105, 5, null],
    [106, 6, uuid(1)],
    [107, 7, uuid(2)],
  ]);
  expect(replaysOf(batchOf([1, 'garbage'], 0))).toEqual([]);
});

test('replays stay with their side of a cut, and that of a refused row has no event any more', () => {
  const batch = replaying(1, 'garbage', 1, 2);
  const [first, second] = splitMicroBatch(batch);
  expect([...replaysOf(first), ...replaysOf(second)]).toEqual(replaysOf(batch));
  expect(replaysOf(refuseOnlyEvent(first, 'PostgreSQL refused the row.'))).toEqual([
    { letter: 104, replay: 'r1', offset: 4, event: null },
  ]);
});
