// Four partitions of one worker that commit together, over a line of their own that a test breaks.
import type { MockActivityEnvironment } from '@temporalio/testing';
import { inject, onTestFinished } from 'vitest';

import { createConsumePartition } from '../../activities/consume-partition.ts';
import type { ConsumeResult } from '../../activities/consume-partition.ts';
import { HeldLeases } from '../../activities/held-leases.ts';
import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { openMetrics } from '../../observability/metrics.ts';
import type { Counts } from '../../pipeline/checkpoint.ts';
import { must } from '../../pipeline/ensure.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { ensureCheckpoint, readCheckpoint } from '../../postgres/checkpoints.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { endPool, openPool } from '../../postgres/pool.ts';
import { SharedCommits } from '../../postgres/shared-commits.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { GatheredCommits } from '../support/gathered-commits.ts';
import { differences, recount } from '../support/recount.ts';
import { readResults } from '../support/result-recount.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { START_MS, activityWorld } from './crash-world.ts';

/** The first commits by itself, the others behind it in one transaction. */
const PARTITIONS = [0, 1, 2, 3];
export const TOGETHER = [1, 2, 3];
const MESSAGES = 1_200;
const SPAN_MS = 600_000;
const SOON_MS = 30_000;

type Lease = { readonly over: Promise<ConsumeResult>; readonly environment: MockActivityEnvironment };
type Progress = { readonly nextOffset: number; readonly counts: Counts };

export class SharedWorld {
  readonly database: TestDatabase;
  /** The line between the shared transactions and PostgreSQL; the leases' own go past it. */
  readonly proxy: TcpProxy;
  readonly commits: GatheredCommits;
  readonly #topic: SeededTopic;
  readonly #spec: PipelineSpec;
  readonly #leases = new Map<number, Lease>();

  private constructor(parts: {
    database: TestDatabase;
    topic: SeededTopic;
    proxy: TcpProxy;
    commits: GatheredCommits;
  }) {
    this.database = parts.database;
    this.proxy = parts.proxy;
    this.commits = parts.commits;
    this.#topic = parts.topic;
    this.#spec = {
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

  /** A lease on each partition, half of the messages taken in, and a shared connection that stands. */
  static async open(): Promise<SharedWorld> {
    const topic = await seededTopic(inject('servers').kafkaBrokers, {
      partitions: PARTITIONS.length,
      count: MESSAGES,
      startTimeMs: START_MS,
      rate: MESSAGES / (SPAN_MS / 1_000),
      seed: 815,
      users: 50,
      disorder: 0.2,
      duplicates: 0.05,
    });
    const database = await freshDatabase();
    const proxy = await openTcpProxy({ target: new URL(database.url).host });
    const url = new URL(database.url);
    url.host = proxy.address;
    const pool = openPool({ url: url.href, max: 1 });
    onTestFinished(async () => {
      await endPool(pool, 1_000);
      await proxy.close();
      await topic.remove();
    });
    const world = new SharedWorld({ database, topic, proxy, commits: new GatheredCommits(new SharedCommits(pool)) });
    for (const partition of PARTITIONS)
      await ensureCheckpoint(database.pool, world.#spec, { partition, firstOffset: 0 });
    world.startLeases(PARTITIONS);
    await topic.send(0, MESSAGES / 2);
    await world.#untilIngested();
    // Points in the bytes are found from the beginning of a message on.
    await pool.query('select');
    return world;
  }

  startLeases(partitions: readonly number[]): void {
    const held = new HeldLeases();
    for (const partition of partitions) {
      const environment = activityWorld();
      const activity = createConsumePartition({
        pool: this.database.pool,
        postgresUrl: this.database.url,
        kafkaBrokers: inject('servers').kafkaBrokers,
        metrics: openMetrics({ processMetrics: false }).ingest,
        held,
        shared: this.commits,
      });
      const run = async (): Promise<ConsumeResult> =>
        await environment.run(activity, { spec: this.#spec, partition, leaseMs: 600_000 });
      const over = run();
      over.catch(() => {});
      this.#leases.set(partition, { over, environment });
    }
  }

  /** The rest of the messages comes; the first batch of each partition commits when all of these are there. */
  async sendTheRest(): Promise<void> {
    this.commits.gather(PARTITIONS.length);
    await this.#topic.send(MESSAGES / 2, MESSAGES);
  }

  /** How the leases that committed together ended: what they threw. */
  async endsOfShared(): Promise<unknown[]> {
    const ends = await Promise.allSettled(TOGETHER.map(async (partition) => await this.#leases.get(partition)?.over));
    return ends.map((end) => (end.status === 'rejected' ? String(end.reason) : 'not ended by the line'));
  }

  async progress(): Promise<Progress[]> {
    return await Promise.all(
      TOGETHER.map(async (partition) => {
        const checkpoint = await readCheckpoint(this.database.pool, this.#spec, partition);
        const { nextOffset, counts } = must(checkpoint, `the checkpoint of partition ${partition}`);
        return { nextOffset, counts };
      }),
    );
  }

  /** New leases take in what is left, and all windows close. What is then missing, there twice, or wrong; empty when all is right. */
  async problemsInTheEnd(): Promise<string[]> {
    const { pool, schema, url } = this.database;
    this.startLeases(TOGETHER);
    await this.#untilIngested();
    for (const { environment, over } of this.#leases.values()) {
      environment.cancel('CANCELLED');
      await over;
    }
    const throughMs = START_MS + 2 * SPAN_MS;
    await moveClosedThrough(pool, this.#spec, throughMs);
    await closeNextPanes(pool, this.#spec, { throughMs });
    const expected = recount(this.#topic.messages());
    const found = await readResults(pool, schema);
    const wrong = Object.entries(expected.tables).flatMap(([table, rows]) => differences(rows, found[table] ?? [], 3));
    const brokers = inject('servers').kafkaBrokers;
    const { checks } = await verifyPipeline({ brokers, postgresUrl: url, spec: this.#spec });
    for (const { name, differences: count } of checks) {
      if (count > 0) wrong.push(`weir verify: ${count} differences in ${name}.`);
    }
    const recorded = checks.find(({ name }) => name === 'recorded')?.found;
    if (recorded !== expected.events) wrong.push(`${recorded} of ${expected.events} events.`);
    return wrong;
  }

  async #untilIngested(): Promise<void> {
    const isThere = async (): Promise<boolean> => {
      const ends = await partitionOffsets({ brokers: inject('servers').kafkaBrokers, topic: this.#spec.topic });
      const checkpoints = await Promise.all(
        PARTITIONS.map(async (partition) => await readCheckpoint(this.database.pool, this.#spec, partition)),
      );
      return ends.every(({ partition, endOffset }) => checkpoints[partition]?.nextOffset === endOffset);
    };
    await eventually(isThere, { deadlineMs: SOON_MS, what: 'all messages of all partitions are ingested' });
  }
}
