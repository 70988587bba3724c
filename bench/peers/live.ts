// Live: how long after it was due an event can be read in PostgreSQL by a reader who knows nothing of the system.
import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

import type { StackAddresses } from '../../local/stack.ts';
import { round } from '../cpu-meter.ts';
import { fileHere } from './install.ts';
import { withPostgres } from './postgres.ts';
import type { LiveProduction, ProducerSays } from './produce-live.ts';
import { VisibilityWatch } from './visibility-watch.ts';

export type LiveWork = {
  readonly addresses: StackAddresses;
  readonly topic: string;
  readonly rate: number;
  /** How long to measure, after the warm-up. */
  readonly seconds: number;
  readonly seed: number;
  readonly users: number;
  /** As System.rows says. */
  readonly rows: string;
  /** Called when the warm-up is over and when measuring is. */
  readonly onMeasuring: () => Promise<void>;
  readonly onMeasured: () => Promise<void>;
  readonly signal: AbortSignal;
};

/** Milliseconds. `producerBehindMs`: by how much the producer itself was late at its worst; it is part of the latencies. */
export type LiveLatency = {
  readonly rate: number;
  readonly produced: number;
  readonly rows: number;
  readonly measured: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly resolutionMs: number;
  readonly producerBehindMs: number;
};

const WARM_UP_S = 15;
const LOOK_EVERY_MS = 200;
/** How long after the last event was written its row may take. */
const LAST_ROW_MS = 30_000;

/** Produces, watches, and answers with the latencies; the system must be running. */
export async function measureLive(work: LiveWork): Promise<LiveLatency> {
  const { addresses, topic, rate, seconds, seed, users, signal } = work;
  const watch = await VisibilityWatch.start(addresses.postgres.url);
  try {
    const production = { brokers: addresses.kafka.brokers, topic, rate, seconds: seconds + WARM_UP_S, seed, users };
    const producer = startProducer(production);
    try {
      const startMs = await producer.started(signal);
      const fromMs = startMs + WARM_UP_S * 1000;
      await wait(Math.max(0, fromMs - Date.now()), undefined, { signal });
      await work.onMeasuring();
      const { sent, behindMs } = await producer.ended(signal);
      await work.onMeasured();
      const rows = await untilThere(work, sent);
      await watch.stop();
      const latencies = await latenciesOf(work, { watch, fromMs });
      return { rate, produced: sent, rows, ...latencies, producerBehindMs: behindMs };
    } finally {
      producer.kill();
    }
  } finally {
    await watch.stop().catch(() => {});
  }
}

type Ended = Extract<ProducerSays, { sent: number }>;

type Producer = {
  /** When its first event is due (epoch ms). */
  started(signal: AbortSignal): Promise<number>;
  ended(signal: AbortSignal): Promise<Ended>;
  kill(): void;
};

function startProducer(production: LiveProduction): Producer {
  const main = fileHere('produce-live.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', main, JSON.stringify(production)], {
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  let startMs: number | null = null;
  let end: Ended | null = null;
  child.on('message', (said: ProducerSays) => {
    if ('startMs' in said) startMs = said.startMs;
    else end = said;
  });
  const until = async <T>(look: () => T | null, signal: AbortSignal): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== null) return found;
      if (child.exitCode !== null) throw new Error('The producer ended early; see its output above.');
      await wait(LOOK_EVERY_MS, undefined, { signal });
    }
  };
  return {
    started: async (signal) => await until(() => startMs, signal),
    ended: async (signal) => await until(() => end, signal),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Waits until as many rows are there as were sent, or no more can be expected. Answers how many there are. */
async function untilThere({ addresses, rows, signal }: LiveWork, sent: number): Promise<number> {
  return await withPostgres({ addresses }, async (db) => {
    const deadline = Date.now() + LAST_ROW_MS;
    for (;;) {
      const { rows: counted } = await db.query<{ count: string }>(`select count(*) from (${rows}) as r`);
      const there = Number(counted[0]?.count);
      if (there >= sent || Date.now() > deadline) return there;
      await wait(LOOK_EVERY_MS, undefined, { signal });
    }
  });
}

type Latencies = Pick<LiveLatency, 'measured' | 'p50Ms' | 'p95Ms' | 'p99Ms' | 'maxMs' | 'resolutionMs'>;

async function latenciesOf(
  { addresses, rows }: LiveWork,
  { watch, fromMs }: { watch: VisibilityWatch; fromMs: number },
): Promise<Latencies> {
  const landed = await withPostgres({ addresses }, async (db) => {
    const dueMs = 'extract(epoch from occurred_at)::float8 * 1000';
    const sql = `select xmin::text::bigint::float8 as xmin, ${dueMs} as due_ms from (${rows}) as r where ${dueMs} >= $1`;
    return (await db.query<{ xmin: number; due_ms: number }>(sql, [fromMs])).rows;
  });
  const seen = new Map([...new Set(landed.map(({ xmin }) => xmin))].map((xmin) => [xmin, watch.seenAtMs(xmin)]));
  const latencies = landed
    .flatMap(({ xmin, due_ms: dueMs }) => {
      const atMs = seen.get(xmin) ?? null;
      return atMs === null ? [] : [atMs - dueMs];
    })
    .toSorted((a, b) => a - b);
  const at = (share: number): number | null =>
    round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN) || null;
  return {
    measured: latencies.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: at(1),
    resolutionMs: round(watch.resolutionMs()),
  };
}
