// Late events of every distance, from seconds to days, through real ingestion: after the amendments the results are those of
// a batch that saw everything, less what lies beyond the horizon.
import { randomUUID } from 'node:crypto';

import * as fc from 'fast-check';
import { expect, inject, test } from 'vitest';

import { amendWindows } from '../../postgres/amend-windows.ts';
import { rebuildWindows } from '../../postgres/rebuild-windows.ts';
import { freshDatabase } from '../support/database.ts';
import { storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { pageView } from '../support/messages.ts';
import { readResults, recountResults } from '../support/result-recount.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import { resultDifferences } from '../support/verified-results.ts';

const START_MS = Date.parse('2026-11-01T10:00:00Z');
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** How far behind the present an event is: seconds, minutes, around the horizon of two hours, days. */
const distance = fc.oneof(
  fc.integer({ min: 0, max: 59_999 }),
  fc.integer({ min: MINUTE_MS, max: HOUR_MS }),
  fc.integer({ min: 2 * HOUR_MS - MINUTE_MS, max: 2 * HOUR_MS + MINUTE_MS }),
  fc.integer({ min: 3 * HOUR_MS, max: 72 * HOUR_MS }),
);
const event = fc.record({
  distance,
  user: fc.integer({ min: 0, max: 3 }),
  device: fc.constantFrom('mobile', 'desktop'),
});
/** Of one wave: its events, how many minutes close after it, and whether late events are taken in then. */
const wave = fc.record({
  events: fc.array(event, { minLength: 1, maxLength: 25 }),
  minutes: fc.integer({ min: 1, max: 45 }),
  amends: fc.boolean(),
});

/** The message of an event, as a topic holds it. */
function messageOf({ id, at, user, session, device, location }: StoredEvent): string {
  const named = { event_id: id, timestamp: at, user_id: user, session_id: session, device, location };
  return JSON.stringify(pageView(named));
}

test('late events of every distance: the results are those of a batch, and the horizon decides what stays out', async () => {
  const brokers = inject('servers').kafkaBrokers;
  let taken = 0;
  let leftOut = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(wave, { minLength: 3, maxLength: 7 }), async (waves) => {
      const database = await freshDatabase();
      const topic = await seededTopic(brokers, { partitions: 2, count: 1, startTimeMs: START_MS + 24 * HOUR_MS });
      try {
        const pipeline = await handDrivenPipeline(database, { brokers, topic: topic.topic });
        const { pool, schema } = database;
        const { spec } = pipeline;
        const known: StoredEvent[] = [];
        const beyond: StoredEvent[] = [];
        let presentMs = START_MS;
        let closedMs = -Infinity;
        for (const { events, minutes, amends } of waves) {
          const stored = events.map((of) => {
            const at = new Date(presentMs - of.distance).toISOString();
            return storedEvent(at, {
              id: randomUUID(),
              user: `u${of.user}`,
              session: `s${of.user}`,
              device: of.device,
            });
          });
          await topic.sendRaw(stored.map((each) => ({ key: each.user, value: messageOf(each) })));
          await pipeline.ingest();
          for (const each of stored) {
            const atMs = Date.parse(each.at);
            (atMs < closedMs - spec.amendHorizonMs ? beyond : known).push(each);
            if (atMs < closedMs) taken += 1;
          }
          if (amends) await pipeline.amend();
          presentMs += minutes * MINUTE_MS;
          closedMs = Math.floor(presentMs / MINUTE_MS) * MINUTE_MS;
          await pipeline.close(closedMs);
        }
        await pipeline.amend();
        leftOut += beyond.length;
        expect(await readResults(pool, schema)).toEqual(recountResults(known, closedMs));
        const { rows } = await pool.query<{ id: string }>(
          `select event_id as id from "${schema}".late_events where beyond_horizon and applied_at is null order by 1`,
        );
        expect(rows.map(({ id }) => id)).toEqual(beyond.map(({ id }) => id).toSorted());
        const range = { startMs: START_MS - 100 * HOUR_MS, endMs: closedMs };
        const unchanged = await rebuildWindows(pool, spec, { range, positionMs: null });
        expect(Object.values(unchanged.counts)).toEqual([0, 0, 0, 0, 0, 0]);
        await amendWindows(pool, spec, { range, includeBeyondHorizon: true, cause: 'reprocess' });
        expect(await readResults(pool, schema)).toEqual(recountResults([...known, ...beyond], closedMs));
        expect(await resultDifferences({ pool, schema, spec })).toEqual([]);
      } finally {
        await topic.remove();
      }
    }),
    { numRuns: 4, seed: 20_261_123, endOnFailure: true },
  );
  // Not a test of nothing: there were many of both kinds.
  expect(taken - leftOut).toBeGreaterThan(20);
  expect(leftOut).toBeGreaterThan(5);
}, 120_000);
