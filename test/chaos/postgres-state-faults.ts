// Faults of PostgreSQL's own state: no connection left, no writes taken, its disk full.
import { setTimeout as wait } from 'node:timers/promises';

import type { Client } from 'pg';

import { sqlState } from '../../postgres/sqlstate.ts';
import { endSessions, openSession, withAdministrator } from './administrator.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { fillTableDisk, fillWalDisk } from './full-disk.ts';
import type { Fault, Injection } from './fault.ts';
import { HeardErrors } from './heard-errors.ts';
import { whyNoSmallDisk } from './small-disk.ts';

const NO_CONNECTION_LEFT = '53300';
const READ_ONLY = '25006';
const HELD_MS = 20_000;
const LOOK_EVERY_MS = 500;

/** Every connection that the server has is somebody else's. */
async function takeConnections(world: ChaosWorld): Promise<Injection> {
  const heard = new HeardErrors(world.workers);
  const hoard: Client[] = [];
  const { url } = world.stack.addresses.postgres;
  try {
    await withAdministrator(world, async (administrator) => {
      // Those that are ended come back at once: until none of theirs is left, and whenever one has slipped in.
      await seizeAll(url, hoard);
      const untilMs = Date.now() + HELD_MS;
      while (Date.now() < untilMs) {
        if ((await endSessions(administrator)) === 0) await wait(LOOK_EVERY_MS);
        await seizeAll(url, hoard);
      }
    });
  } finally {
    await Promise.all(hoard.map(async (each) => await each.end()));
  }
  const endedAtMs = Date.now();
  await heard.end();
  const detail = `${hoard.length} connections taken, ${heard.toString()}`;
  return { hit: heard.count(NO_CONNECTION_LEFT) > 0, endedAtMs, detail };
}

/** Takes connections until the server has none left. */
async function seizeAll(url: string, hoard: Client[]): Promise<void> {
  for (;;) {
    try {
      hoard.push(await openSession(url, 'weir chaos hoard'));
    } catch (error) {
      if (sqlState(error) === NO_CONNECTION_LEFT) return;
      throw error;
    }
  }
}

/** As while a standby has not been promoted yet: connections stand, reading works, nothing can be written. */
async function refuseWrites(world: ChaosWorld): Promise<Injection> {
  const heard = new HeardErrors(world.workers);
  await withAdministrator(world, async (administrator) => {
    await administrator.query('alter system set default_transaction_read_only = on');
    try {
      await administrator.query('select pg_reload_conf()');
      await wait(HELD_MS);
    } finally {
      await administrator.query('alter system reset default_transaction_read_only');
      await administrator.query('select pg_reload_conf()');
    }
  });
  const endedAtMs = Date.now();
  await heard.end();
  return { hit: heard.count(READ_ONLY) > 0, endedAtMs, detail: heard.toString() };
}

export const POSTGRES_STATE_FAULTS: readonly Fault[] = [
  { name: 'max_connections', probes: { ready: 'lost' }, inject: takeConnections },
  { name: 'read-only', probes: { ready: 'lost' }, inject: refuseWrites },
  { name: 'disk full', whyNot: whyNoSmallDisk, inject: fillTableDisk },
  { name: 'disk full (WAL)', whyNot: whyNoSmallDisk, inject: fillWalDisk },
];
