// Events put straight into PostgreSQL, as if ingestion had committed them, for tests of what follows.
import { createHash } from 'node:crypto';

import type pg from 'pg';

import type { EventType } from '../../pipeline/event.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';

/** One stored event. `at` is ISO text; `amount` and `currency` belong to purchases. */
export type StoredEvent = {
  readonly id: string;
  readonly at: string;
  readonly type: EventType;
  readonly user: string;
  readonly session: string;
  readonly device: string;
  readonly location: string;
  readonly amount: string | null;
  readonly currency: string | null;
};

let made = 0;

/** A page view of user u1; `changes` say what the test is about. Ids are distinct. */
export function storedEvent(at: string, changes: Partial<StoredEvent> = {}): StoredEvent {
  made += 1;
  const digest = createHash('md5').update(`event ${made}`).digest('hex');
  const id = digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return {
    id,
    at,
    type: 'page_view',
    user: 'u1',
    session: 's1',
    device: 'mobile',
    location: 'Berlin',
    amount: null,
    currency: null,
    ...changes,
  };
}

export type LateMark = { readonly closedThrough: string; readonly beyondHorizon?: boolean };

/** Inserts events in one transaction, with their late marks when `late` is given. */
export async function insertEvents(
  pool: pg.Pool,
  schema: string,
  { events, late }: { events: readonly StoredEvent[]; late?: LateMark },
): Promise<void> {
  const tables = quoteSchema(schema);
  const rows = JSON.stringify(events);
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(
      `select ${tables}.ensure_event_days(array(
         select distinct (at at time zone 'UTC')::date from jsonb_to_recordset($1::jsonb) as r (at timestamptz)))`,
      [rows],
    );
    await client.query(
      `insert into ${tables}.events (event_id, occurred_at, event_type, user_id, session_id, device, location, total_amount,
         currency, schema_version, kafka_partition, kafka_offset, kafka_timestamp)
       select id, at, type, "user", session, device, location, amount, currency, 1, 0, 0, at
       from jsonb_to_recordset($1::jsonb) as r (id uuid, at timestamptz, type text, "user" text, session text, device text,
         location text, amount numeric, currency text)`,
      [rows],
    );
    if (late) {
      await client.query(
        `insert into ${tables}.late_events (event_id, occurred_at, kafka_partition, kafka_offset, closed_through, beyond_horizon)
         select id, at, 0, 0, $2, $3 from jsonb_to_recordset($1::jsonb) as r (id uuid, at timestamptz)`,
        [rows, late.closedThrough, late.beyondHorizon ?? false],
      );
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
