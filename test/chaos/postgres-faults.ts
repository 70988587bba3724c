// Faults of PostgreSQL and of the lines to it: stopped, killed, sessions ended, replies lost, cut, silent, refused.
import { setTimeout as wait } from 'node:timers/promises';

import type { ChaosWorld } from './chaos-world.ts';
import { busiest, isMoving } from './fault.ts';
import type { Fault, Injection } from './fault.ts';

const MOST_TRIES = 400;
/** Until a lease that makes no turn is taken for stuck and given to another worker, which then meets the held batch. */
const SILENT_MS = 70_000;
const CUT_WITHIN_MS = 4_000;
/** A chunk of copy data: long enough to lie in the middle of a COPY. */
const COPY_BYTES = 3_000;
/** How PostgreSQL's answer to a micro-batch ends, whose transaction has committed when it is sent. */
const COPIED = 'COPY ';

async function endServer(world: ChaosWorld, signal: NodeJS.Signals): Promise<Injection> {
  const hit = isMoving(world);
  world.stack.signal('postgres', signal);
  await world.stack.ended('postgres');
  await world.stack.startAgain();
  return { hit, endedAtMs: Date.now(), detail: signal };
}

/** Ends sessions that are in the middle of a commit, as an administrator would. */
async function endBusySessions({ pool }: ChaosWorld): Promise<Injection> {
  let ended = 0;
  for (let tries = 0; tries < MOST_TRIES && ended < 3; tries += 1) {
    const { rowCount } = await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name like 'weir partition %' and state = 'active' and query ~ 'copy' limit 1`,
    );
    ended += rowCount ?? 0;
    await wait(10);
  }
  return { hit: ended > 0, endedAtMs: Date.now(), detail: `${ended} sessions` };
}

async function loseReplies({ workers }: ChaosWorld): Promise<Injection> {
  let untold = 0;
  for (const { postgres } of workers) {
    postgres.dropReplies((reply) => {
      if (reply.includes(COPIED)) untold += 1;
    });
  }
  await wait(2_000);
  for (const { postgres } of workers) await postgres.heal();
  return { hit: untold > 0, endedAtMs: Date.now(), detail: `${untold} commits without a reply` };
}

async function cutInCopy(world: ChaosWorld): Promise<Injection> {
  const { victim } = await busiest(world);
  const cut = new AbortController();
  victim.postgres.cutAt((chunk, from) => {
    if (from !== 'client' || chunk.length < COPY_BYTES) return null;
    cut.abort();
    return Math.floor(chunk.length / 2);
  });
  await wait(CUT_WITHIN_MS, undefined, { signal: cut.signal }).catch(() => {});
  const endedAtMs = Date.now();
  await victim.postgres.heal();
  return { hit: cut.signal.aborted, endedAtMs, detail: victim.name };
}

/** The network splits and heals: what was held back arrives afterwards, at a server that has moved on. */
async function fallSilent(world: ChaosWorld): Promise<Injection> {
  const { victim, commits } = await busiest(world);
  victim.postgres.blackhole();
  await wait(SILENT_MS);
  await victim.postgres.heal();
  return { hit: commits > 0, endedAtMs: Date.now(), detail: `${victim.name}, ${commits} commits in 0.5 s before` };
}

async function refuse(world: ChaosWorld): Promise<Injection> {
  const hit = isMoving(world);
  for (const { postgres } of world.workers) await postgres.refuse();
  await wait(30_000);
  for (const { postgres } of world.workers) await postgres.heal();
  return { hit, endedAtMs: Date.now(), detail: '30 s' };
}

export const POSTGRES_FAULTS: readonly Fault[] = [
  {
    name: 'PostgreSQL immediate stop',
    inject: async (world) => await endServer(world, 'SIGQUIT'),
  },
  { name: 'PostgreSQL SIGKILL', inject: async (world) => await endServer(world, 'SIGKILL') },
  { name: 'sessions terminated', inject: endBusySessions },
  { name: 'COMMIT reply lost', inject: loseReplies },
  { name: 'connection cut in COPY', inject: cutInCopy },
  { name: 'PostgreSQL silent 70 s', probes: { ready: 'lost' }, inject: fallSilent },
  { name: 'PostgreSQL refused 30 s', probes: { ready: 'lost' }, inject: refuse },
];
