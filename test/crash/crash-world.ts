// A partition that is ingested through a breakable line to PostgreSQL, by leases that a test starts and loses.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type pg from 'pg';
import { inject, onTestFinished } from 'vitest';

import { createConsumePartition } from '../../activities/consume-partition.ts';
import { HeldLeases } from '../../activities/held-leases.ts';
import type { ConsumeResult } from '../../activities/consume-partition.ts';
import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { openMetrics } from '../../observability/metrics.ts';
import type { Checkpoint } from '../../pipeline/checkpoint.ts';
import { must } from '../../pipeline/ensure.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { ensureCheckpoint, readCheckpoint } from '../../postgres/checkpoints.ts';
import { openPool } from '../../postgres/pool.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { differences, recount } from '../support/recount.ts';
import { readResults } from '../support/result-recount.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { untilInCopy, untilQuiet } from './session-waits.ts';

/** The surroundings of an activity, without the warnings that a test causes on purpose. */
export function activityWorld(): MockActivityEnvironment {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
}

/** Three waves of messages, twenty minutes of event time. */
const WAVE = 1_000;
const WAVES = 3;
export const START_MS = Date.parse('2026-03-01T10:00:00Z');
const SPAN_MS = 1_200_000;
const SOON_MS = 30_000;
/** What a lease ends with when its line to PostgreSQL broke. */
export const LINE_BROKEN = /Connection terminated|ECONNRESET/;

export type RunningLease = {
  /** Settles when the lease is over; never before without a reason. */
  readonly over: Promise<ConsumeResult>;
  readonly heartbeats: unknown[];
  /** Asks it to end, and waits until it has. */
  drain(): Promise<void>;
};

export class CrashWorld {
  readonly database: TestDatabase;
  readonly topic: SeededTopic;
  readonly spec: PipelineSpec;
  /** The line between a lease and PostgreSQL. */
  readonly proxy: TcpProxy;

  private constructor(parts: { database: TestDatabase; topic: SeededTopic; proxy: TcpProxy }) {
    this.database = parts.database;
    this.topic = parts.topic;
    this.proxy = parts.proxy;
    this.spec = {
      topic: parts.topic.topic,
      schema: parts.database.schema,
      latenessMs: 60_000,
      idleAfterMs: 3_600_000,
      maxFutureMs: 300_000,
      amendHorizonMs: 86_400_000,
      amendIntervalMs: 1_000,
      retentionMs: null,
    };
  }

  /** A fresh schema and an empty topic of one partition, both gone when the test is over. */
  static async open(): Promise<CrashWorld> {
    const topic = await seededTopic(inject('servers').kafkaBrokers, {
      partitions: 1,
      count: WAVE * WAVES,
      startTimeMs: START_MS,
      rate: (WAVE * WAVES) / (SPAN_MS / 1_000),
      seed: 4_711,
      users: 50,
      disorder: 0.2,
      duplicates: 0.03,
      malformed: 0.02,
    });
    const database = await freshDatabase();
    const proxy = await openTcpProxy({ target: new URL(database.url).host });
    onTestFinished(async () => {
      await proxy.close();
      await topic.remove();
    });
    const world = new CrashWorld({ database, topic, proxy });
    await ensureCheckpoint(database.pool, world.spec, { partition: 0, firstOffset: 0 });
    return world;
  }

  /** The same with two waves taken in, by a lease that is over, and nothing closed yet. */
  static async ingested(): Promise<CrashWorld> {
    const world = await CrashWorld.open();
    const lease = world.lease();
    await world.sendWave(0);
    await world.sendWave(1);
    await world.untilIngested();
    await lease.drain();
    return world;
  }

  /** The next thousand messages. */
  async sendWave(wave: 0 | 1 | 2): Promise<void> {
    await this.topic.send(wave * WAVE, (wave + 1) * WAVE);
  }

  /** A lease through the proxy, or past it; Temporal would start the next one when it fails. */
  lease({ pastProxy = false } = {}): RunningLease {
    const url = new URL(this.database.url);
    if (!pastProxy) url.host = this.proxy.address;
    const activity = createConsumePartition({
      pool: this.database.pool,
      postgresUrl: url.href,
      kafkaBrokers: inject('servers').kafkaBrokers,
      metrics: openMetrics({ processMetrics: false }).ingest,
      held: new HeldLeases(),
    });
    const environment = activityWorld();
    const heartbeats: unknown[] = [];
    environment.on('heartbeat', (details) => heartbeats.push(details));
    const run = async (): Promise<ConsumeResult> =>
      await environment.run(activity, { spec: this.spec, partition: 0, leaseMs: 600_000 });
    const over = run();
    over.catch(() => {});
    const drain = async (): Promise<void> => {
      environment.cancel('CANCELLED');
      await over;
    };
    return { over, heartbeats, drain };
  }

  async checkpoint(): Promise<Checkpoint> {
    return must(await readCheckpoint(this.database.pool, this.spec, 0), 'the checkpoint of partition 0');
  }

  /** Waits until the checkpoint stands at the end of the topic. */
  async untilIngested(): Promise<void> {
    const [end] = await partitionOffsets({ brokers: inject('servers').kafkaBrokers, topic: this.spec.topic });
    const isThere = async (): Promise<boolean> => (await this.checkpoint()).nextOffset === end?.endOffset;
    await eventually(isThere, { deadlineMs: SOON_MS, what: `all ${end?.endOffset} messages are ingested` });
  }

  /** Waits until a session of this world is in the middle of the COPY into `table`; with rows: some of them have come. */
  async untilInCopy(table: 'events' | 'dead_letters', { withRows = false } = {}): Promise<void> {
    await untilInCopy(this.database, { table, withRows });
  }

  /** Waits until no session of this world is at work in PostgreSQL any more: what was cut off is over. */
  async untilQuiet(): Promise<void> {
    await untilQuiet(this.database);
  }

  /** Closes the line of the first session that comes to a halt before the table, with a transaction under way. */
  async crashAt(table: string, work: (pool: pg.Pool) => Promise<unknown>): Promise<void> {
    const guard = await this.database.pool.connect();
    const pool = openPool({ url: this.database.url, max: 2 });
    try {
      await guard.query('begin');
      await guard.query(`lock table ${this.database.schema}.${table} in access exclusive mode`);
      const outcome = work(pool).then(
        () => 'done',
        (error: unknown) => error,
      );
      const ended = async (): Promise<boolean> => {
        const { rows } = await this.database.pool.query(
          `select pg_terminate_backend(pid) from pg_locks
           where relation = $1::regclass and not granted and locktype = 'relation'`,
          [`${this.database.schema}.${table}`],
        );
        return rows.length > 0;
      };
      await eventually(ended, { deadlineMs: SOON_MS, what: `a session waits for ${table}` });
      if ((await outcome) === 'done') throw new Error('What should have crashed went through.');
    } finally {
      await guard.query('rollback');
      guard.release();
      await pool.end();
    }
  }

  /** Both steps of a close, up to this share of the event time of all waves. */
  async close(share: number): Promise<void> {
    const throughMs = START_MS + SPAN_MS * share;
    await moveClosedThrough(this.database.pool, this.spec, throughMs);
    await closeNextPanes(this.database.pool, this.spec, { throughMs });
  }

  /**
   * The last wave comes, a new lease takes everything in, all windows close and are amended. What is then missing, there
   * twice, or other than a recount says; empty when all is right.
   */
  async problemsInTheEnd(): Promise<string[]> {
    const { pool, schema, url } = this.database;
    const lease = this.lease({ pastProxy: true });
    await this.sendWave(2);
    await this.untilIngested();
    await lease.drain();
    await this.close(2);
    await amendWindows(pool, this.spec);
    const expected = recount(this.topic.messages());
    const found = await readResults(pool, schema);
    const wrong = Object.entries(expected.tables).flatMap(([table, rows]) => differences(rows, found[table] ?? [], 3));
    const brokers = inject('servers').kafkaBrokers;
    const { checks } = await verifyPipeline({ brokers, postgresUrl: url, spec: this.spec });
    for (const { name, differences: count } of checks) {
      if (count > 0) wrong.push(`weir verify: ${count} differences in ${name}.`);
    }
    const counted = new Map(checks.map((check) => [check.name, check.found]));
    if (counted.get('recorded') !== expected.events)
      wrong.push(`${counted.get('recorded')} of ${expected.events} events.`);
    // Without these a test would prove little.
    for (const name of ['duplicates', 'rejected', 'late']) {
      if ((counted.get(name) ?? 0) < 20) wrong.push(`Only ${counted.get(name)} messages were ${name}.`);
    }
    return wrong;
  }
}

/**
 * The first wave is ingested, and closed far enough that its last messages and much of the second wave are late. Its lease
 * goes on, and knows of the close.
 */
export async function worldWithFirstWave(): Promise<{ world: CrashWorld; lease: RunningLease }> {
  const world = await CrashWorld.open();
  const lease = world.lease();
  await world.topic.send(0, WAVE - 100);
  await world.untilIngested();
  await world.close(0.4);
  await world.topic.send(WAVE - 100, WAVE);
  await world.untilIngested();
  return { world, lease };
}
