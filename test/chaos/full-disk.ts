// Disks of PostgreSQL's that fill up: that of a table, where statements fail, and that of the WAL, where the server ends.
import { readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { homeFolder, logFile } from '../../local/home-folder.ts';
import { runningServers } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { eventually } from '../support/eventually.ts';
import { withAdministrator } from './administrator.ts';
import type { Administrator } from './administrator.ts';
import type { ChaosWorld } from './chaos-world.ts';
import type { Injection } from './fault.ts';
import { HeardErrors } from './heard-errors.ts';
import { SmallDisk, moveFolder } from './small-disk.ts';

const DISK_FULL = '53100';
/** What sessions hear of a server that ends, or has not recovered yet. */
const SERVER_ENDED = ['57P02', '57P03'];
const FULL_MS = 15_000;
const FULL_WITHIN_MS = 60_000;
const SPARE_MB = 24;
const MB = 1_048_576;
/** Timeline and place of a WAL segment, which sort by name. */
const SEGMENT = /^[0-9A-F]{24}$/;

/** The index of the day's events lies on a small disk while that is full: what needs another page of it fails with 53100. */
export async function fillTableDisk(world: ChaosWorld): Promise<Injection> {
  return await withAdministrator(world, async (administrator) => {
    const index = await growingIndex(administrator, world);
    const disk = openDisk(world, 'table-disk', {
      ...(await dataFolder(administrator)),
      megabytes: index.mb + SPARE_MB,
    });
    const heard = new HeardErrors(world.workers);
    try {
      await administrator.query(`create tablespace chaos_disk location '${disk.path}'`);
      await administrator.query(`alter index ${index.name} set tablespace chaos_disk`);
      disk.fill();
      const isFull = (): boolean => heard.count(DISK_FULL) > 0;
      await eventually(isFull, { deadlineMs: FULL_WITHIN_MS, what: DISK_FULL }).catch(() => {});
      await wait(FULL_MS);
    } finally {
      disk.clear();
    }
    const endedAtMs = Date.now();
    await heard.end();
    await administrator.query(`alter index ${index.name} set tablespace pg_default`);
    // The files of an index that has moved away are deleted by the next checkpoint.
    await administrator.query('checkpoint');
    await administrator.query('drop tablespace chaos_disk');
    disk.remove();
    return { hit: heard.count(DISK_FULL) > 0, endedAtMs, detail: heard.toString() };
  });
}

/**
 * The WAL lies on a small disk while that is full: PostgreSQL ends in a panic and cannot even recover, until there is room.
 * The WAL is moved there and back between two orderly restarts.
 */
export async function fillWalDisk(world: ChaosWorld): Promise<Injection> {
  const data = await withAdministrator(world, async (administrator) => {
    // As little of it as can be, and none of it is used again from the restart on, as while a replica has fallen behind.
    await administrator.query(`alter system set max_wal_size = '64MB'`);
    await administrator.query(`alter system set min_wal_size = '32MB'`);
    await administrator.query('select pg_reload_conf()');
    await administrator.query('checkpoint');
    await administrator.query(`alter system set wal_keep_size = '1GB'`);
    return await dataFolder(administrator);
  });
  const wal = join(data.path, 'pg_wal');
  await endPostgres(world);
  dropSpareSegments(wal);
  const disk = openDisk(world, 'wal-disk', { ...data, megabytes: megabytesOf(wal) + 4 * SPARE_MB });
  moveFolder(wal, join(disk.path, 'pg_wal'));
  symlinkSync(join(disk.path, 'pg_wal'), wal);
  let injection: Omit<Injection, 'endedAtMs'>;
  try {
    await world.stack.startAgain();
    injection = await spendUntilFull(world, disk);
  } finally {
    disk.clear();
    await endPostgres(world);
    rmSync(wal);
    moveFolder(join(disk.path, 'pg_wal'), wal);
    disk.remove();
    await world.stack.startAgain();
  }
  const endedAtMs = Date.now();
  await withAdministrator(world, async (administrator) => {
    for (const name of ['max_wal_size', 'min_wal_size', 'wal_keep_size']) {
      await administrator.query(`alter system reset ${name}`);
    }
    await administrator.query('select pg_reload_conf()');
  });
  return { ...injection, endedAtMs };
}

/** Fills the disk under work that has just begun again, and waits until the server has ended of it and for a while longer. */
async function spendUntilFull(world: ChaosWorld, disk: SmallDisk): Promise<Omit<Injection, 'endedAtMs'>> {
  const backMs = Date.now();
  await eventually(() => world.recoveredAt(backMs), { deadlineMs: 90_000, what: 'all commit from a small disk' });
  const heard = new HeardErrors(world.workers);
  const logged = readLog(world).length;
  const isFull = (): boolean => readLog(world).slice(logged).includes('No space left on device');
  disk.fill();
  const untilMs = Date.now() + FULL_WITHIN_MS;
  while (!isFull() && Date.now() < untilMs) await spendWal(world);
  await wait(FULL_MS);
  await heard.end();
  return { hit: isFull() && heard.count(DISK_FULL, ...SERVER_ENDED) > 0, detail: heard.toString() };
}

type Place = { readonly path: string; readonly userId: number; readonly groupId: number };

async function dataFolder(administrator: Administrator): Promise<Place> {
  const { rows } = await administrator.query<{ path: string }>(`select current_setting('data_directory') as path`);
  const { path } = must(rows[0], 'the data folder');
  const { uid, gid } = statSync(path);
  return { path, userId: uid, groupId: gid };
}

/** The primary key of the day that events come in for: it grows with every batch. */
async function growingIndex(administrator: Administrator, { spec }: ChaosWorld): Promise<{ name: string; mb: number }> {
  const { rows } = await administrator.query<{ name: string; mb: number }>(
    `select indexrelid::regclass::text as name, ceil(pg_relation_size(indexrelid) / ${MB}.0)::int as mb
     from pg_index where indisprimary and indrelid = (
       select tableoid from ${quoteSchema(spec.schema)}.events order by occurred_at desc limit 1)`,
  );
  return must(rows[0], 'the index of a day that holds events');
}

function openDisk(
  { stack }: ChaosWorld,
  name: string,
  { megabytes, userId, groupId }: Place & { megabytes: number },
): SmallDisk {
  return new SmallDisk(join(stack.home, name), { megabytes, userId, groupId });
}

async function endPostgres({ stack }: ChaosWorld): Promise<void> {
  // In the panic it may have ended by itself.
  if (runningServers(stack.home).includes('postgres')) stack.signal('postgres', 'SIGINT');
  await stack.ended('postgres');
}

/** Writes a few megabytes of WAL that say nothing, so that its end comes soon at every rate. */
async function spendWal(world: ChaosWorld): Promise<void> {
  await withAdministrator(world, async (administrator) => {
    await administrator.query(
      `select pg_logical_emit_message(false, 'chaos', repeat('x', ${MB})) from generate_series(1, 4)`,
    );
  }).catch(() => {});
}

/**
 * Segments behind the one that was written last: old ones that the server has put there for later, by the gigabyte after a
 * while. They would be room on the full disk. A server that has ended in order needs none of them.
 */
function dropSpareSegments(wal: string): void {
  const segments = readdirSync(wal).filter((name) => SEGMENT.test(name));
  const writtenMs = (name: string): number => statSync(join(wal, name)).mtimeMs;
  const last = segments.toSorted((one, other) => writtenMs(one) - writtenMs(other)).at(-1) ?? '';
  for (const name of segments) if (name > last) rmSync(join(wal, name));
}

function megabytesOf(folder: string): number {
  const files = readdirSync(folder).map((name) => statSync(join(folder, name)));
  return Math.ceil(files.reduce((sum, { size }) => sum + size, 0) / MB);
}

const readLog = ({ stack }: ChaosWorld): string => readFileSync(logFile(homeFolder(stack.home), 'postgres'), 'utf8');
