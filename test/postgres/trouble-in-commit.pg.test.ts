// A commit that meets a trouble of the server's: no message is blamed for it, nothing is lost, and the next one goes in.
import { chmodSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'pg';
import { afterAll, beforeEach, expect, test } from 'vitest';

import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import { formMicroBatch } from '../../pipeline/micro-batch.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { RecentIdentities } from '../../pipeline/recent-identities.ts';
import { BatchCommitter } from '../../postgres/batch-committer.ts';
import type { Committed } from '../../postgres/batch-committer.ts';
import { ensureCheckpoint, readCheckpoint, takeLease } from '../../postgres/checkpoints.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { serverTrouble } from '../../postgres/server-trouble.ts';
import { sqlState } from '../../postgres/sqlstate.ts';
import { SmallDisk, whyNoSmallDisk } from '../chaos/small-disk.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { messageOf, pageView } from '../support/messages.ts';

const EVENTS = 8;
const clients: Client[] = [];
let database: TestDatabase;
let spec: PipelineSpec;

beforeEach(async () => {
  database = await freshDatabase();
  spec = {
    topic: 'shop',
    schema: database.schema,
    latenessMs: 300_000,
    idleAfterMs: 30_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 10_000,
    retentionMs: null,
  };
  await ensureCheckpoint(database.pool, spec, { partition: 0, firstOffset: 0 });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
});

async function connect(url = database.url): Promise<Client> {
  const client = new Client(clientConfig({ url, applicationName: `commit ${database.schema}` }));
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** Sends the events of offsets 0 to 7 as one batch over this session, with a lease of its own. */
async function commitOver(client: Client): Promise<Committed> {
  const { epoch } = await takeLease(database.pool, spec, 0);
  return await commitIn(epoch, client);
}

async function commitIn(epoch: number, client: Client): Promise<Committed> {
  const committer = new BatchCommitter(client, { spec, partition: 0, epoch });
  const messages = Array.from({ length: EVENTS }, (_, offset) => messageOf(offset, pageView()));
  const judge = (message: (typeof messages)[number]) => parseMessage(message, spec);
  const fetched = { messages, fromOffset: 0, nextOffset: EVENTS };
  return await committer.commit(committer.prepare(formMicroBatch(fetched, judge, new RecentIdentities())));
}

async function waits(): Promise<void> {
  const waiting = async (): Promise<boolean> => {
    const { rowCount } = await database.pool.query(
      `select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`,
      [`commit ${database.schema}`],
    );
    return rowCount === 1;
  };
  await eventually(waiting, { deadlineMs: 10_000, what: 'the commit waits for a lock' });
}

const stateOf = async (work: Promise<unknown>): Promise<string | null> => await work.then(() => 'committed', sqlState);

/** Nothing went in, no dead letter blames a message, and the session is good for the next attempt. */
async function expectNothingDoneAndCommit(client: Client): Promise<void> {
  const { rows } = await database.pool.query(
    `select (select count(*)::int from ${spec.schema}.events) as events, (select count(*)::int from ${spec.schema}.dead_letters) as letters`,
  );
  expect(rows).toEqual([{ events: 0, letters: 0 }]);
  expect((await commitOver(client)).counts).toMatchObject({ recorded: EVENTS, rejected: 0 });
  const checkpoint = await readCheckpoint(database.pool, spec, 0);
  expect(checkpoint && unaccountedOffsets(checkpoint)).toBe(0);
}

test.each([
  ['57014', `set statement_timeout = '100ms'`, `reset statement_timeout`],
  ['55P03', `set lock_timeout = '100ms'`, `reset lock_timeout`],
])('%s: a commit that waited too long for a lock blames no message', async (state, set, reset) => {
  const client = await connect();
  const holder = await connect();
  await client.query(`select ${spec.schema}.ensure_event_days('{2026-11-01}')`);
  await holder.query(`begin; lock table ${spec.schema}.events in share row exclusive mode`);
  await client.query(set);
  expect(await stateOf(commitOver(client))).toBe(state);
  await holder.query('rollback');
  await client.query(reset);
  await expectNothingDoneAndCommit(client);
});

test('25006: a commit into a server that takes no writes blames no message', async () => {
  const client = await connect();
  await client.query(`select ${spec.schema}.ensure_event_days('{2026-11-01}')`);
  await client.query('set default_transaction_read_only = on');
  expect(await stateOf(commitOver(client))).toBe('25006');
  await client.query('reset default_transaction_read_only');
  await expectNothingDoneAndCommit(client);
});

test.skipIf(whyNoSmallDisk() !== null)('53100: a commit into a disk that is full blames no message', async () => {
  const client = await connect();
  await client.query(`select ${spec.schema}.ensure_event_days('{2026-11-01}')`);
  const { rows } = await client.query<{ data: string }>(`select current_setting('data_directory') as data`);
  const { uid, gid } = statSync(rows[0]?.data ?? '');
  const home = mkdtempSync(join(tmpdir(), 'weir-full-'));
  chmodSync(home, 0o755);
  const disk = new SmallDisk(join(home, 'disk'), { megabytes: 4, userId: uid, groupId: gid });
  try {
    await client.query(`create tablespace ${spec.schema} location '${disk.path}'`);
    await client.query(`alter table ${spec.schema}.events_20261101 set tablespace ${spec.schema}`);
    disk.fill();
    const failure = await commitOver(client).catch((error: unknown) => error);
    expect([sqlState(failure), serverTrouble(failure)]).toEqual(['53100', expect.stringContaining('make room')]);
    disk.clear();
    await expectNothingDoneAndCommit(client);
  } finally {
    await client.query(`drop table ${spec.schema}.events_20261101; checkpoint`);
    await client.query(`drop tablespace ${spec.schema}`);
    disk.remove();
    rmdirSync(home);
  }
});

test('40P01: a commit that a deadlock ended blames no message', async () => {
  const client = await connect();
  const other = await connect();
  await client.query(`select ${spec.schema}.ensure_event_days('{2026-11-01}')`);
  // The other session looks for deadlocks so late that the commit is always the one that finds it.
  await other.query(`set deadlock_timeout = '60s'`);
  await client.query(`set deadlock_timeout = '300ms'`);
  const { epoch } = await takeLease(database.pool, spec, 0);
  await other.query(`begin; select from ${spec.schema}.checkpoints for update`);
  const state = stateOf(commitIn(epoch, client));
  await waits();
  await other
    .query(`select pg_advisory_xact_lock(hashtextextended('${quoteSchema(spec.schema)}/clock/shop', 0))`)
    .catch(() => {});
  expect(await state).toBe('40P01');
  await other.query('rollback');
  await expectNothingDoneAndCommit(client);
});

test('a commit sees windows that closed while it waited, also where the role asks for a stricter isolation', async () => {
  const role = `strict_${spec.schema}`;
  await database.pool.query(`create role ${role} superuser login password 'x'`);
  await database.pool.query(`alter role ${role} set default_transaction_isolation = 'serializable'`);
  const url = new URL(database.url);
  Object.assign(url, { username: role, password: 'x' });
  const client = await connect(url.href);
  const closer = await connect();
  try {
    await client.query(`select ${spec.schema}.ensure_event_days('{2026-11-01}')`);
    await closer.query(
      `begin; select pg_advisory_xact_lock(hashtextextended('${quoteSchema(spec.schema)}/clock/shop', 0))`,
    );
    const committed = commitOver(client);
    await waits();
    await moveClosedThrough(closer, spec, Date.parse('2026-11-02'));
    await closer.query('commit');
    expect(await committed).toMatchObject({ remarked: 1, counts: { recorded: EVENTS, late: EVENTS } });
  } finally {
    await client.query('drop owned by current_user');
    await client.end();
    await database.pool.query(`drop role ${role}`);
  }
});
