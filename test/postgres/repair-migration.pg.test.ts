// Migration 003 on a schema in use: what version 2 has written stays, and means the same.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { Client } from 'pg';
import Postgrator from 'postgrator';
import { afterAll, expect, inject, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { readRuns } from '../../postgres/checkpoint-runs.ts';
import { migrate } from '../../postgres/migrate.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { rewindPartition } from '../../postgres/rewind.ts';
import { eventually } from '../support/eventually.ts';
import { brokenChecks, holdPartition, lettersOf } from '../support/micro-batches.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const clients: Client[] = [];
const schemas: string[] = [];

afterAll(async () => {
  const client = await connect();
  for (const schema of schemas) await client.query(`drop schema "${schema}" cascade`);
  await Promise.all(clients.map((each) => each.end()));
});

async function connect(): Promise<Client> {
  const client = new Client(clientConfig({ url: inject('servers').postgresUrl }));
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** A schema as version 2 leaves it: two partitions, events, letters with bytes of every kind, late events, a gap. */
async function version2(): Promise<{ client: Client; schema: string }> {
  const schema = `t_${randomBytes(6).toString('hex')}`;
  schemas.push(schema);
  const client = await connect();
  await client.query(`create schema "${schema}"`);
  const postgrator = new Postgrator({
    migrationPattern: new URL('../../postgres/migrations/*.sql', import.meta.url).pathname,
    driver: 'pg',
    database: '',
    schemaTable: `${schema}.schema_version`,
    currentSchema: schema,
    execQuery: async (sql: string) => await client.query(sql.replaceAll('@schema@', `"${schema}"`)),
  });
  await postgrator.migrate('2');
  await client.query(
    `insert into ${schema}.checkpoints (topic, partition, first_offset, next_offset, epoch, watermark, recorded, duplicate, late, rejected, skipped)
     values ('shop', 0, 5, 25, 3, '2026-11-01T10:00:00Z', 3, 1, 1, 4, 2), ('shop', 1, 0, 0, 1, null, 0, 0, 0, 0, 0);
     insert into ${schema}.gaps (topic, partition, from_offset, to_offset) values ('shop', 0, 10, 20);
     insert into ${schema}.closed_through (topic, closed_through) values ('shop', '2026-11-01T10:00:00Z');
     insert into ${schema}.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, key, value, headers, reason, field, detail)
     select 0, 5 + i, '2026-11-01', '\\x00ff', case i when 0 then null when 1 then '' else '\\xff00'::bytea end,
       '[{"name":"a","value":null},{"name":"a","value":"AP8="}]', 'not_json', null, 'No JSON.' from generate_series(0, 3) i;
     insert into ${schema}.events (event_id, occurred_at, event_type, user_id, device, location, session_id, schema_version,
       kafka_partition, kafka_offset, kafka_timestamp)
     select gen_random_uuid(), '2020-01-01', 'page_view', 'u', 'd', 'l', 's', 1, 0, 20 + i, '2026-11-01' from generate_series(0, 2) i;
     insert into ${schema}.late_events (event_id, occurred_at, kafka_partition, kafka_offset, closed_through, beyond_horizon)
     select event_id, occurred_at, 0, 20, '2026-11-01T10:00:00Z', true from ${schema}.events limit 1`,
  );
  return { client, schema };
}

/** The migrated schema as the helpers of other tests take it. */
async function migrated(schema: string): Promise<WindowedPipeline> {
  const { url, pool, spec } = await windowedPipeline();
  await migrate({ url, schema });
  return { url, pool, schema, spec: { ...spec, topic: 'shop', schema } };
}

test('a schema of version 2 with data is migrated, and every row is what it was', async () => {
  const { client, schema } = await version2();
  const rows = async (table: string): Promise<unknown[]> =>
    (await client.query(`select * from ${schema}.${table} order by kafka_offset`)).rows;
  const before = { letters: await rows('dead_letters'), late: await rows('late_events') };
  const pipeline = await migrated(schema);
  expect(await rows('late_events')).toEqual(before.late);
  expect(await rows('dead_letters')).toMatchObject(before.letters);
  expect(await lettersOf(pipeline)).toMatchObject(
    Array.from({ length: 4 }, () => ({ status: 'open', attempt: 1, parent: null, is_closed: false })),
  );
  expect(await readRuns(pipeline.pool, pipeline.spec)).toMatchObject([
    { partition: 0, run: 1, firstOffset: 5, nextOffset: 25, acceptedGaps: 10, rejectedAgain: 0, ended: null },
    { partition: 1, run: 1 },
  ]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('after the migration ingestion goes on, and can be rewound over what version 2 has read', async () => {
  const { schema } = await version2();
  const pipeline = await migrated(schema);
  const held = await holdPartition(pipeline);
  const next = [messageOf(25, pageView()), messageOf(26, 'not json')];
  expect(await held.commit(next)).toMatchObject({ staged: false, counts: { recorded: 1, rejected: 1 } });
  await rewindPartition(pipeline.pool, pipeline.spec, { partition: 0, toOffset: 5, why: 'a test' });
  const letters = [5, 6, 7, 8].map((offset) =>
    messageOf(offset, 'not json', { timestampMs: Date.parse('2026-11-01T00:00:00Z') }),
  );
  const { counts } = await (await holdPartition(pipeline)).commit([...letters, ...next], { from: 5, to: 27 });
  expect(counts).toMatchObject({ recorded: 0, duplicate: 1, rejected: 5, skipped: 16 });
  expect(await lettersOf(pipeline)).toHaveLength(5);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a status that has no meaning is refused, in old rows as in new ones', async () => {
  const { client, schema } = await version2();
  await migrated(schema);
  const update = client.query(`update ${schema}.dead_letters set status = 'lost' where kafka_offset = 5`);
  await expect(update).rejects.toThrow('dead_letters_status');
});

test('a batch that commits meanwhile ends first, and readers are not kept waiting by the indices', async () => {
  const { schema, client: batch } = await version2();
  await batch.query('begin');
  await batch.query(`update ${schema}.checkpoints set next_offset = next_offset`);
  const done = migrate({ url: inject('servers').postgresUrl, schema });
  const watcher = await connect();
  await eventually(
    async () => {
      const { rows } = await watcher.query<{ n: number }>(
        `select count(*)::int as n from pg_locks l join pg_class c on c.oid = l.relation
          where not l.granted and c.relname = 'checkpoints' and c.relnamespace = $1::regnamespace`,
        [`"${schema}"`],
      );
      return must(rows[0], 'a count').n === 1;
    },
    { deadlineMs: 10_000, what: 'the migration waits for the batch' },
  );
  // The batch takes its letters behind its checkpoint; the migration must not have them yet.
  await batch.query(
    `insert into ${schema}.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, headers, reason, detail)
     values (0, 25, '2026-11-01', '[]', 'not_json', 'No JSON.')`,
  );
  const { rows } = await watcher.query(`select count(*)::int as n from ${schema}.dead_letters`);
  expect(rows).toEqual([{ n: 4 }]);
  await batch.query('commit');
  expect((await done).applied).toContain('003.do.repair.sql');
});

test('the file takes its locks in the order of a batch: checkpoints, then dead letters', () => {
  const sql = readFileSync(new URL('../../postgres/migrations/003.do.repair.sql', import.meta.url), 'utf8');
  const at = (text: string): number => must(sql.indexOf(text) + 1 || null, `"${text}" in the file`);
  expect(at('lock table @schema@.checkpoints')).toBeLessThan(at('on @schema@.dead_letters'));
  expect(at('alter table @schema@.checkpoints')).toBeLessThan(at('alter table @schema@.dead_letters'));
  // What only writers wait for comes before what readers wait for too.
  expect(at('create index dead_letters_by_time')).toBeLessThan(at('alter table @schema@.checkpoints'));
});
