// A batch without any event (all of it rejected, repeated or skipped) says nothing about event time.
import { expect, test } from 'vitest';

import { ensureCheckpoint, readCheckpoint } from '../../postgres/checkpoints.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { freshDatabase } from '../support/database.ts';

const TOPIC = 'quiet';
const { pool, schema } = await freshDatabase();
await ensureCheckpoint(pool, { schema, topic: TOPIC }, { partition: 0, firstOffset: 0 });

/** One rejected message at this offset; `watermark`: what the batch's events allow, null when it has none. */
async function advance(fromOffset: number, watermark: string | null): Promise<number | null> {
  await pool.query(
    `select ${quoteSchema(schema)}.advance_checkpoint($1, 0, $2, $3, 0, 0, 0, 0, 1, 0, $4, interval '280 seconds', null)`,
    [TOPIC, fromOffset, fromOffset + 1, watermark],
  );
  return (await readCheckpoint(pool, { schema, topic: TOPIC }, 0))?.watermarkMs ?? null;
}

test('a batch without events makes no watermark, and moves none', async () => {
  expect(await advance(0, null)).toBeNull();
  expect(await advance(1, '2026-01-01T00:00:00Z')).toBe(Date.parse('2026-01-01T00:00:00Z'));
  expect(await advance(2, null)).toBe(Date.parse('2026-01-01T00:00:00Z'));
});

test('a watermark never runs ahead of the clock by more than it may', async () => {
  const watermarkMs = await advance(3, '2200-01-01T00:00:00Z');
  expect(watermarkMs).toBeGreaterThan(Date.now() + 200_000);
  expect(watermarkMs).toBeLessThan(Date.now() + 300_000);
});
