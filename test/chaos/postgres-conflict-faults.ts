// Faults of PostgreSQL that come from other sessions: locks held too long, rows that change, deadlocks.
import { setTimeout as wait } from 'node:timers/promises';

import { quoteSchema } from '../../postgres/schema-name.ts';
import { eventually } from '../support/eventually.ts';
import { openSession, withAdministrator, withRoleSetting } from './administrator.ts';
import type { Administrator } from './administrator.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { isMoving } from './fault.ts';
import type { Fault, Injection } from './fault.ts';
import { HeardErrors } from './heard-errors.ts';

const TIMED_OUT = '57014';
const LOCKED_OUT = '55P03';
const NOT_SERIALIZABLE = '40001';
const DEADLOCK = '40P01';
/** A busy machine comes back slowly, and the closer works once in ten seconds or so: until they have met it often enough. */
const AT_LEAST_MS = 10_000;
const LOCKED_AT_MOST_MS = 40_000;
const COMPETED_AT_MOST_MS = 120_000;
const WANTED_ERRORS = 3;
const LOOK_EVERY_MS = 250;
const WANTED_DEADLOCKS = 4;
const MOST_DEADLOCK_TRIES = 30;

/**
 * The role's statements may take half a second, and somebody locks what they need: first the checkpoints, so that no lease
 * can be taken, then the events. A batch in hand waits there for longer: its session has limits of its own, which end it too.
 */
async function timeOutStatements(world: ChaosWorld): Promise<Injection> {
  const heard = new HeardErrors(world.workers);
  const tables = quoteSchema(world.spec.schema);
  await withAdministrator(world, async (administrator) => {
    await withRoleSetting(administrator, { name: 'statement_timeout', value: '500ms' }, async () => {
      for (const [table, state] of [
        ['checkpoints', TIMED_OUT],
        ['events', LOCKED_OUT],
      ] as const) {
        await administrator.query(`begin; lock table ${tables}.${table} in share row exclusive mode`);
        await goOnUntil({ heard, state, atMostMs: LOCKED_AT_MOST_MS }, async () => await wait(LOOK_EVERY_MS));
        await administrator.query('rollback');
      }
    });
  });
  const endedAtMs = Date.now();
  await heard.end();
  const hit = heard.count(TIMED_OUT) > 0 && heard.count(LOCKED_OUT) > 0;
  return { hit, endedAtMs, detail: heard.toString() };
}

/**
 * A competitor changes the rows of checkpoints and of the clock without a break, and the role asks for repeatable read.
 * Commits insist on read committed and only wait; who works in one snapshot by design, the closer, gets 40001.
 */
async function refuseSerialization(world: ChaosWorld): Promise<Injection> {
  const moved = isMoving(world);
  const heard = new HeardErrors(world.workers);
  await withAdministrator(world, async (administrator) => {
    const setting = { name: 'default_transaction_isolation', value: 'repeatable read' };
    await withRoleSetting(administrator, setting, async () => {
      const turn = async (): Promise<void> => await compete(administrator, world);
      await goOnUntil({ heard, state: NOT_SERIALIZABLE, atMostMs: COMPETED_AT_MOST_MS }, turn);
    });
  });
  const endedAtMs = Date.now();
  await heard.end();
  return { hit: moved && heard.count(NOT_SERIALIZABLE) > 0, endedAtMs, detail: heard.toString() };
}

/** Turn after turn for ten seconds, and further until the error was heard a few times. */
async function goOnUntil(
  { heard, state, atMostMs }: { heard: HeardErrors; state: string; atMostMs: number },
  turn: () => Promise<void>,
): Promise<void> {
  const startedMs = Date.now();
  for (let passedMs = 0; passedMs < atMostMs; passedMs = Date.now() - startedMs) {
    if (passedMs >= AT_LEAST_MS && heard.count(state) >= WANTED_ERRORS) return;
    await turn();
  }
}

async function compete(administrator: Administrator, { spec }: ChaosWorld): Promise<void> {
  const tables = quoteSchema(spec.schema);
  // Two transactions, and rows in the order in which commits of several partitions take them: anything else would rather make
  // deadlocks, with the harness among those that PostgreSQL ends.
  const changes = [
    `select from ${tables}.checkpoints order by partition for update;
     update ${tables}.checkpoints set committed_at = committed_at`,
    `update ${tables}.closed_through set low_watermark = low_watermark`,
  ];
  for (const change of changes) await administrator.query(`begin; ${change}; select pg_sleep(0.05); commit`);
}

/**
 * The harness holds a checkpoint row that a commit waits for, and then waits for the lock `clock` that the commit holds. Its
 * own look for deadlocks would come later than the commit's, so that the commit is the one that PostgreSQL ends.
 */
async function deadlock(world: ChaosWorld): Promise<Injection> {
  const heard = new HeardErrors(world.workers);
  const { url } = world.stack.addresses.postgres;
  const partner = await openSession(url, 'weir chaos deadlock');
  try {
    await partner.query(`set deadlock_timeout = '60s'`);
    for (let tries = 0; tries < MOST_DEADLOCK_TRIES && heard.count(DEADLOCK) < WANTED_DEADLOCKS; tries += 1) {
      await embrace(partner, world, tries % world.partitions);
    }
  } finally {
    await partner.end();
  }
  const endedAtMs = Date.now();
  await heard.end();
  return { hit: heard.count(DEADLOCK) >= WANTED_DEADLOCKS, endedAtMs, detail: heard.toString() };
}

async function embrace(partner: Administrator, { spec }: ChaosWorld, partition: number): Promise<void> {
  const tables = quoteSchema(spec.schema);
  await partner.query('begin');
  try {
    await partner.query(`select from ${tables}.checkpoints where topic = $1 and partition = $2 for update`, [
      spec.topic,
      partition,
    ]);
    await eventually(
      async () => {
        const { rowCount } = await partner.query(
          `select from pg_locks waiting
           where not granted and pg_backend_pid() = any (pg_blocking_pids(pid)) and exists (
             select from pg_locks held where held.pid = waiting.pid and held.locktype = 'advisory' and held.granted)`,
        );
        return rowCount !== 0;
      },
      { deadlineMs: 5_000, what: 'a commit waits for the row' },
    );
    await partner.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${tables}/clock/${spec.topic}`]);
  } catch {
    // No commit came, or it was the partner that was ended: the next try.
  } finally {
    await partner.query('rollback');
  }
}

export const POSTGRES_CONFLICT_FAULTS: readonly Fault[] = [
  { name: 'statement_timeout', inject: timeOutStatements },
  { name: 'serialization failure', inject: refuseSerialization },
  { name: 'deadlock', inject: deadlock },
];
