// The recount that end-to-end tests trust, held to numbers that were counted by hand.
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { differences, recount } from '../support/recount.ts';

const at = (time: string, fields: Record<string, unknown>) => ({
  timestampMs: Date.UTC(2026, 2, 2),
  value: Buffer.from(
    JSON.stringify({
      event_id: `00000000-0000-7000-8000-${time.replaceAll(/\D/g, '').padStart(12, '0')}`,
      event_type: 'purchase',
      user_id: 'u1',
      timestamp: `2026-03-01T${time}Z`,
      device: 'mobile',
      location: 'DE',
      session_id: 's1',
      order_id: 'o',
      items: ['i'],
      quantities: [1],
      total_amount: 10,
      currency: 'EUR',
      payment_method: 'paypal',
      ...fields,
    }),
  ),
});

test('three purchases make the rows that were counted by hand', () => {
  const messages = [
    at('12:00:59.999', { total_amount: 10.01 }),
    at('12:01:00.000', { total_amount: 0.02, user_id: 'u2', session_id: 's2' }),
    at('12:01:30.000', { total_amount: 5 }),
  ];
  const { events, tables } = recount([...messages, messages[0] ?? at('', {})]);
  expect(events).toBe(3);
  expect(tables['event_counts']).toEqual([
    {
      window_start: '2026-03-01T12:00:00.000Z',
      window_end: '2026-03-01T12:01:00.000Z',
      event_type: 'purchase',
      event_count: 1,
      unique_users: 1,
    },
    {
      window_start: '2026-03-01T12:01:00.000Z',
      window_end: '2026-03-01T12:02:00.000Z',
      event_type: 'purchase',
      event_count: 2,
      unique_users: 2,
    },
  ]);
  expect(tables['purchase_metrics']).toEqual([
    {
      window_start: '2026-03-01T12:00:00.000Z',
      window_end: '2026-03-01T12:10:00.000Z',
      currency: 'EUR',
      total_orders: 3,
      total_revenue: '15.03',
      avg_order_value: '5.01',
      max_order_value: '10.01',
      min_order_value: '0.02',
      unique_buyers: 2,
    },
  ]);
  // u1 is active in two minutes: windows from 11:56 to 12:01; u2 in one: from 11:57 to 12:01.
  expect(tables['user_activity']).toHaveLength(11);
  expect(tables['session_metrics']?.find((row) => row['session_id'] === 's1')).toMatchObject({
    user_id: 'u1',
    events_in_session: 2,
    events_by_type: { purchase: 2 },
    session_duration_seconds: 30.001,
  });
  expect(tables['device_stats']).toMatchObject([{ event_count: 3, unique_users: 2, unique_sessions: 2 }]);
});

test('the generator says how many events there are, and the recount finds as many', () => {
  const shares = { disorder: 0.01, duplicates: 0.05, malformed: 0.05, late: 0.001 };
  const maker = createMessageMaker(createGeneratorSpec({ topic: 't', ...shares }));
  const segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1), rate: 500 };
  const messages = maker.messages(segment, 0, 5_000);
  const plain = createMessageMaker(createGeneratorSpec({ topic: 't' })).messages(segment, 0, 5_000);
  expect(recount(plain).events).toBe(5_000);
  expect(Math.abs(recount(messages).events - 4_500)).toBeLessThan(100);
});

test('a row that is missing, wrong or doubled is a difference', () => {
  const row = { window_start: 'a', counts: { b: 1, a: 2 } };
  expect(differences([row], [{ counts: { a: 2, b: 1 }, window_start: 'a' }])).toEqual([]);
  expect(differences([row], [])).toHaveLength(1);
  expect(differences([row], [{ ...row, window_start: 'b' }])).toHaveLength(2);
  expect(differences([row], [row, row])).toEqual(['1 rows come twice.']);
});
