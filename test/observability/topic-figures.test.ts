// What a worker saw of a topic: kept while it works on it, forgotten a minute later.
import { expect, test } from 'vitest';

import { TopicFigures } from '../../observability/topic-figures.ts';

const MINUTE_MS = 60_000;

function figuresWithClock() {
  const clock = { nowMs: 0 };
  return { clock, figures: new TopicFigures<{ a?: number; b?: number }>(() => clock.nowMs) };
}

test('figures stay while an activity works on the topic, however long nothing new is seen', () => {
  const { clock, figures } = figuresWithClock();
  figures.began('orders');
  figures.saw('orders', { a: 1 });
  clock.nowMs = 100 * MINUTE_MS;
  expect([...figures.known()]).toEqual([['orders', { a: 1 }]]);
});

test('figures are forgotten a minute after the last work on the topic has ended', () => {
  const { clock, figures } = figuresWithClock();
  const ends = [figures.began('orders'), figures.began('orders')];
  figures.saw('orders', { a: 1 });
  clock.nowMs = 10 * MINUTE_MS;
  ends[0]?.();
  clock.nowMs = 12 * MINUTE_MS;
  expect([...figures.known()]).toHaveLength(1);
  ends[1]?.();
  clock.nowMs = 13 * MINUTE_MS;
  expect([...figures.known()]).toHaveLength(1);
  clock.nowMs = 13 * MINUTE_MS + 1;
  expect([...figures.known()]).toEqual([]);
});

test('what is seen later replaces what it names and leaves the rest', () => {
  const { figures } = figuresWithClock();
  figures.saw('orders', { a: 1, b: 2 });
  figures.saw('orders', { b: 3 });
  figures.saw('returns', { a: 4 });
  expect(Object.fromEntries(figures.known())).toEqual({ orders: { a: 1, b: 3 }, returns: { a: 4 } });
});

test('a topic of which nothing was seen yet is not told of', () => {
  const { figures } = figuresWithClock();
  figures.began('orders');
  expect([...figures.known()]).toEqual([]);
});
