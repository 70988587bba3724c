// The group roles on a real PostgreSQL: what each may not do, one claim each, and what goes on where nobody may make roles.
import { randomBytes } from 'node:crypto';

import { beforeAll, describe, expect, it } from 'vitest';

import { migrate } from '../../postgres/migrate.ts';
import { SHARED_TABLES } from '../../postgres/rights.ts';
import { restoreSnapshot } from '../../postgres/restore-snapshot.ts';
import { dropSnapshot } from '../../postgres/snapshots.ts';
import { takeSnapshot } from '../../postgres/take-snapshot.ts';
import { storedEvent, insertEvents } from '../support/events.ts';
import { loginOf, ownDatabase } from '../support/logins.ts';
import type { Login } from '../support/logins.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

/** Tables whose rights are the owner's alone: nobody else needs to know from which day on events have tables of their own. */
const OWNERS_ALONE = ['event_days'];
const DENIED = /permission denied|must be owner/;

let pipeline: WindowedPipeline;
let owner: Login;
let worker: Login;
let reader: Login;

/** `@` stands for the schema. */
const sql = async (login: Pick<Login, 'pool'>, text: string): Promise<unknown[]> =>
  (await login.pool.query(text.replaceAll('@', `${pipeline.schema}.`))).rows;

beforeAll(async () => {
  pipeline = await windowedPipeline();
  owner = await loginOf('weir_owner');
  worker = await loginOf('weir_worker');
  reader = await loginOf('weir_reader');
  await insertEvents(pipeline.pool, pipeline.schema, {
    events: [storedEvent('2026-11-01T10:00:00Z'), storedEvent('2026-11-01T10:01:00Z')],
  });
  await closeThrough(pipeline, '2026-11-01T12:00:00Z');
});

describe('a migrated schema', () => {
  it('has no table whose rights nobody has declared', async () => {
    const { rows } = await pipeline.pool.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = $1::text::regnamespace and relkind in ('r', 'p', 'v')
         and not relispartition`,
      [pipeline.schema],
    );
    const undeclared = rows.map(({ name }) => name).filter((name) => !SHARED_TABLES.includes(name));
    expect(undeclared).toEqual(OWNERS_ALONE);
  });

  it('belongs to weir_owner with all that is in it', async () => {
    const { rows } = await pipeline.pool.query(
      `select relowner::regrole::text as owner from pg_class where relnamespace = $1::text::regnamespace
       union select proowner::regrole::text from pg_proc where pronamespace = $1::text::regnamespace
       union select nspowner::regrole::text from pg_namespace where oid = $1::text::regnamespace`,
      [pipeline.schema],
    );
    expect(rows).toEqual([{ owner: 'weir_owner' }]);
  });

  it('gets a right back that was taken, and loses one that was added, with the next migration', async () => {
    const rights = `select has_table_privilege('weir_reader', '@sessions', 'select') as reads,
      has_table_privilege('weir_worker', '@events', 'delete') as deletes`;
    await sql(pipeline, 'revoke select on @sessions from weir_reader; grant delete on @events to weir_worker');
    expect(await sql(pipeline, rights)).toEqual([{ reads: false, deletes: true }]);
    expect(await migrate(pipeline)).toMatchObject({ applied: [], notice: null });
    expect(await sql(pipeline, rights)).toEqual([{ reads: true, deletes: false }]);
  });
});

describe('a worker', () => {
  it.each([
    ['make a table', 'create table @mine (a int)'],
    ['make a table of any other day by itself', `create table @events_20300101 partition of @events default`],
    ['change a table', 'alter table @events add column mine int'],
    ['drop a table', 'drop table @events'],
    ['drop a day', 'drop table @events_20261101'],
    ['detach a day', 'alter table @events detach partition @events_20261101'],
    ['truncate', 'truncate @events'],
    ['delete events', 'delete from @events'],
    ['change events', `update @events set user_id = 'me'`],
    ['write past the partitioned table into a day', 'insert into @events_20261101 select * from @events'],
    ['delete dead letters', 'delete from @dead_letters'],
    ['delete checkpoints', 'delete from @checkpoints'],
    ['delete late events', 'delete from @late_events'],
    ['delete or change accepted gaps', 'delete from @gaps'],
    ['rewrite what an amendment says', `update @amendments set cause = 'mine'`],
    ['move the first day', `update @event_days set first_day = '2020-01-01'`],
    ['say that it is of another version', 'insert into @schema_version (version) values (99)'],
    [
      'make a trigger',
      'create trigger t before insert on @events execute function suppress_redundant_updates_trigger()',
    ],
    [
      'replace a function',
      'create or replace function @ensure_event_days(days date[]) returns void language sql as $$ $$',
    ],
    ['make a schema', 'create schema mine'],
    ['become the owner', 'set role weir_owner'],
    ['make roles', 'create role mine'],
  ])('may not %s', async (_what, text) => {
    await expect(sql(worker, text)).rejects.toThrow(DENIED);
  });

  it('makes tables of days, far years and far centuries through functions, and they are not its own', async () => {
    await sql(
      worker,
      `select @ensure_event_days('{2026-12-24}'), @ensure_event_years(2031, 2032), @ensure_event_years(2100, 2200)`,
    );
    const made = await sql(
      worker,
      `select relname, relowner::regrole::text as owner, pg_get_expr(relpartbound, oid) as bound from pg_class
       where oid in ('@events_20261224'::regclass, '@events_2031'::regclass, '@events_2100s'::regclass) order by 1`,
    );
    const row = (relname: string, from: string, to: string): object => ({
      relname,
      owner: 'weir_owner',
      bound: `FOR VALUES FROM ('${from} 00:00:00+00') TO ('${to} 00:00:00+00')`,
    });
    expect(made).toEqual([
      row('events_20261224', '2026-12-24', '2026-12-25'),
      row('events_2031', '2031-01-01', '2032-01-01'),
      row('events_2100s', '2100-01-01', '2200-01-01'),
    ]);
  });

  it.each([
    ['two years', '2031, 2033'],
    ['a hundred years that are no century', '2131, 2231'],
    ['no years', '2031, 2031'],
  ])('gets no table over %s', async (_what, years) => {
    await expect(sql(worker, `select @ensure_event_years(${years})`)).rejects.toThrow(/a year or a whole century/);
  });

  it('cannot put a table of its own in the way of what a function means by a name', async () => {
    const client = await worker.pool.connect();
    try {
      await client.query('create temp table pg_class (relname text); set search_path = pg_temp, pg_catalog');
      await client.query(`create function pg_temp.hashtextextended(text, int) returns bigint language plpgsql as $$
        begin execute 'set role weir_owner'; return 1; end $$`);
      await client.query(`select ${pipeline.schema}.ensure_event_days('{2026-12-25}')`);
      await expect(client.query(`drop table ${pipeline.schema}.events_20261225`)).rejects.toThrow(DENIED);
    } finally {
      client.release(true);
    }
  });
});

describe('a reader', () => {
  const RESULTS = [
    'event_counts',
    'user_activity',
    'purchase_metrics',
    'session_metrics',
    'device_stats',
    'sessions',
    'funnel',
  ];
  const VIEWS = [...RESULTS.map((name) => `${name}_history`), 'live_sessions', 'live_funnel'];

  it.each([...RESULTS, ...VIEWS, 'windows', 'amendments'])('reads %s', async (table) => {
    await expect(sql(reader, `select * from @${table}`)).resolves.toBeInstanceOf(Array);
  });

  it('sees the rows, not only the table', async () => {
    expect(await sql(reader, 'select sum(event_count)::int as events from @event_counts')).toEqual([{ events: 2 }]);
  });

  it('reads nothing else of the schema, whatever there is', async () => {
    const tables = await sql(
      pipeline,
      `select relname from pg_class where relnamespace = '${pipeline.schema}'::regnamespace and relkind in ('r', 'p', 'v')
         and has_table_privilege('weir_reader', oid, 'select')`,
    );
    const readable = tables.map((row) => String(Object.values(row ?? {})[0])).toSorted();
    expect(readable).toEqual([...RESULTS, ...VIEWS, 'windows', 'amendments'].toSorted());
  });

  it.each([
    ['read events', 'select * from @events'],
    ['read the events of a day', 'select * from @events_20261101'],
    ['read dead letters', 'select * from @dead_letters'],
    ['read late events', 'select * from @late_events'],
    ['read checkpoints', 'select * from @checkpoints'],
    ['write a result', 'insert into @event_counts select * from @event_counts'],
    ['change a result', 'update @event_counts set event_count = 0'],
    ['delete a result', 'delete from @sessions'],
    ['make tables of days', `select @ensure_event_days('{2026-12-26}')`],
    ['make tables of years', 'select @ensure_event_years(2032, 2033)'],
    ['make a table', 'create table @mine (a int)'],
    ['become the worker', 'set role weir_worker'],
  ])('may not %s', async (_what, text) => {
    await expect(sql(reader, text)).rejects.toThrow(DENIED);
  });

  it('reads the results of a restored snapshot, and nothing else of it', async () => {
    const to = `t_${randomBytes(5).toString('hex')}`;
    await takeSnapshot(owner.pool, { schema: pipeline.schema, name: 'kept' });
    await restoreSnapshot({ url: owner.url, schema: pipeline.schema, name: 'kept', to });
    await expect(reader.pool.query(`select * from ${to}.event_counts`)).resolves.toMatchObject({ rowCount: 2 });
    await expect(reader.pool.query(`select * from ${to}.dead_letters`)).rejects.toThrow(DENIED);
    await dropSnapshot(owner.pool, pipeline.schema, 'kept');
    await owner.pool.query(`drop schema ${to} cascade`);
  });
});

describe('an owner', () => {
  it('migrates a schema of its own from nothing, and one that another owner has made', async () => {
    const schema = `t_${randomBytes(5).toString('hex')}`;
    const other = await loginOf('weir_owner');
    expect(await migrate({ url: owner.url, schema })).toMatchObject({ notice: null });
    await other.pool.query(`alter table ${schema}.events add column theirs int`);
    expect(await migrate({ url: other.url, schema })).toMatchObject({ applied: [], notice: null });
    await other.pool.query(`drop schema ${schema} cascade`);
  });

  it.each([
    ['make roles', 'create role mine'],
    ['read the passwords of the server', 'select * from pg_authid'],
    ['read files of the server', `select pg_read_file('PG_VERSION')`],
  ])('may not %s', async (_what, text) => {
    await expect(sql(owner, text)).rejects.toThrow(DENIED);
  });
});

describe('migrating', () => {
  it('as a member of weir_worker is refused in a sentence that says who may', async () => {
    await expect(migrate({ url: worker.url, schema: pipeline.schema })).rejects.toThrow(
      /^Migrating schema t_\w+ failed and changed nothing: permission denied .*; migrate as a member of weir_owner\.$/,
    );
  });

  it('by a user who belongs to no role keeps the schema with that user, who says so, and gives the others their rights', async () => {
    const schema = `t_${randomBytes(5).toString('hex')}`;
    const alone = await ownDatabase(await loginOf(null));
    const { notice } = await migrate({ url: alone.url, schema });
    expect(notice).toMatch(
      new RegExp(
        `^Schema ${schema} stays with ${alone.name}, because .* "grant weir_owner to ${alone.name}; grant create on`,
      ),
    );
    const reads = await alone.pool.query(
      `select has_table_privilege('weir_reader', '${schema}.sessions', 'select') as reads`,
    );
    expect(reads.rows).toEqual([{ reads: true }]);
    expect(await migrate({ url: alone.url, schema })).toMatchObject({ applied: [], notice });
  });

  it('by a user who may make roles, though no superuser, gives the schema to weir_owner and can go on migrating it', async () => {
    const schema = `t_${randomBytes(5).toString('hex')}`;
    const creator = await loginOf('weir_owner', { may: 'createrole' });
    const alone = await ownDatabase(creator);
    expect(await migrate({ url: alone.url, schema })).toMatchObject({ notice: null });
    expect(await migrate({ url: alone.url, schema })).toMatchObject({ applied: [], notice: null });
    const { rows } = await alone.pool.query(
      `select nspowner::regrole::text as owner from pg_namespace where nspname = $1`,
      [schema],
    );
    expect(rows).toEqual([{ owner: 'weir_owner' }]);
  });
});
