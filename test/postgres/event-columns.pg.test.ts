// Every field that any version of the event schemas declares has its column, and ingestion fills every column there is.
import { expect, test } from 'vitest';

import { EVENT_SCHEMAS, VERSION_FIELD } from '../../pipeline/event-schemas.ts';
import { EVENT_COLUMNS } from '../../postgres/event-rows.ts';
import { freshDatabase } from '../support/database.ts';

const written = new Set(EVENT_COLUMNS.split(', '));

test('the table events has exactly the columns that ingestion writes', async () => {
  const { pool, schema } = await freshDatabase();
  const { rows } = await pool.query<{ name: string }>(
    `select column_name as name from information_schema.columns where table_schema = $1 and table_name = 'events'`,
    [schema],
  );
  expect(new Set(rows.map(({ name }) => name))).toEqual(written);
});

test('every declared field has its column', () => {
  const declared = [...EVENT_SCHEMAS.values()].flatMap((versions) =>
    versions.flatMap(({ fields }) => [...fields.keys()]),
  );
  // The time of an event has the name that all of Weir uses for it.
  const columns = [VERSION_FIELD, ...declared].map((name) => (name === 'timestamp' ? 'occurred_at' : name));
  expect([...new Set(columns)].filter((name) => !written.has(name))).toEqual([]);
});
