// The generator's shop: hours of shoppers who come, pause and come again, with events in disorder, twice and late, closed in
// steps behind the watermark. Sessions and funnels equal the reference and the recount of verify.
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { FUNNELS } from '../../pipeline/funnel.ts';
import type { EventFields } from '../../pipeline/event.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { resultDifferences } from '../support/verified-results.ts';
import type { ReferenceEvent } from './session-reference.ts';
import { closeTo, expectHistory, expectReference, ingest, sessionRun } from './session-run.ts';

const MINUTE_MS = 60_000;
const START_MS = Date.parse('2026-11-01T18:00:00Z');
const LATENESS_MS = 30_000;
const BATCH = 900;

const cents = (amount: unknown): bigint => BigInt(Math.round(Number(amount) * 100));

/** The event that a message tells, its own fields of text kept. */
function told(fields: EventFields): ReferenceEvent {
  const own: Record<string, unknown> = { ...fields };
  const texts = [
    'page',
    'referrer',
    'item_id',
    'category',
    'search_query',
    'currency',
    'payment_method',
    'login_method',
  ];
  const kept = texts.map((name) => [name, own[name]] as const).filter(([, value]) => typeof value === 'string');
  const items = Array.isArray(own['items']) ? own['items'] : [];
  const quantities = Array.isArray(own['quantities']) ? own['quantities'] : [];
  return {
    id: fields.event_id,
    at: BigInt(Date.parse(fields.timestamp)) * 1000n,
    type: fields.event_type,
    user: fields.user_id,
    device: fields.device,
    location: fields.location,
    texts: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
    quantity: Number(own['quantity'] ?? 0),
    price: cents(own['price'] ?? 0),
    bought: items.map((item, index) => ({ item: String(item), quantity: Number(quantities[index]) })),
    amount: cents(own['total_amount'] ?? 0),
  };
}

test.each([1, 2])('sessions and funnels of the shop are right to the cell (seed %i)', async (seed) => {
  const count = 9_000;
  const shares = { disorder: 0.05, duplicates: 0.01, late: 0.03, duplicatesLater: 0.01 };
  const spec = createGeneratorSpec({ topic: 't', seed, rate: 0.75, users: 150, startTimeMs: START_MS, ...shares });
  const made = createMessageMaker(spec).messages({ fromIndex: 0, startMs: START_MS, rate: spec.rate }, 0, count);
  const rules = { gapMs: 10 * MINUTE_MS, maxMs: 60 * MINUTE_MS };
  const run = await sessionRun(rules);
  const seen = new Set<string>();
  let newestMs = 0;
  for (let from = 0; from < made.length; from += BATCH) {
    const batch: ReferenceEvent[] = [];
    for (const { value } of made.slice(from, from + BATCH)) {
      const fields: EventFields = JSON.parse(value.toString());
      if (!seen.has(fields.event_id)) batch.push(told(fields));
      seen.add(fields.event_id);
      newestMs = Math.max(newestMs, Date.parse(fields.timestamp));
    }
    await ingest(run, batch);
    await closeTo(run, newestMs - LATENESS_MS);
    if (from % (2 * BATCH) === 0) await amendWindows(run.pool, run.spec);
  }
  const midway = await expectReference(run);
  expect(midway.open).toBeGreaterThan(0);
  expect(await resultDifferences(run)).toEqual([]);
  await amendWindows(run.pool, run.spec);
  await closeTo(run, newestMs + 120 * MINUTE_MS);
  expect((await expectReference(run)).closed).toBeGreaterThan(300);
  await expectHistory(run);
  expect(await resultDifferences(run)).toEqual([]);
  // Every funnel was gone through to its end, and late events made other sessions of some.
  for (const { name, steps } of FUNNELS) {
    const { rows } = await run.pool.query(
      `select coalesce(sum(reached), 0)::int as reached from "${run.schema}".funnel where funnel = $1 and step = $2`,
      [name, steps.length],
    );
    expect(rows[0].reached, name).toBeGreaterThan(0);
  }
  const { rows } = await run.pool.query(
    `select count(*)::int as n from "${run.schema}".amendments where aggregate = 'sessions'`,
  );
  expect(rows[0].n).toBeGreaterThan(0);
});
