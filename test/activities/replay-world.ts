// A small pipeline by hand whose topic is refused messages and whose letters are replayed, one lease at a time.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';

import { createReplayLetters } from '../../activities/replay-letters.ts';
import type { ReplayLettersInput, ReplayLettersResult } from '../../activities/replay-letters.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import type { EventToWrite } from '../../kafka/event-writer.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { selectLetters } from '../../pipeline/letter-selection.ts';
import { must } from '../../pipeline/ensure.ts';
import type { DeadLetter } from '../../pipeline/dead-letter.ts';
import type { Message } from '../../pipeline/message.ts';
import { planReplay } from '../../postgres/replayed-letters.ts';
import { readLetter } from '../../postgres/letter.ts';
import { freshTopic, readUpTo, withReader } from '../kafka/fresh-topic.ts';
import type { FreshTopic } from '../kafka/fresh-topic.ts';
import type { TestDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import type { HandDrivenPipeline } from '../support/hand-driven-pipeline.ts';

export const newEnvironment = (): MockActivityEnvironment =>
  new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });

type Changes = Partial<ReplayLettersInput>;

export class ReplayWorld {
  readonly database: TestDatabase;
  readonly fresh: FreshTopic;
  readonly pipeline: HandDrivenPipeline;

  private constructor(database: TestDatabase, fresh: FreshTopic, pipeline: HandDrivenPipeline) {
    this.database = database;
    this.fresh = fresh;
    this.pipeline = pipeline;
  }

  static async open(database: TestDatabase, options: Parameters<typeof freshTopic>[0] = {}): Promise<ReplayWorld> {
    const fresh = await freshTopic(options);
    const pipeline = await handDrivenPipeline(database, { brokers: fresh.brokers, topic: fresh.topic });
    return new ReplayWorld(database, fresh, pipeline);
  }

  /** Sends and ingests. */
  async take(messages: readonly EventToWrite[]): Promise<void> {
    const { brokers, topic } = this.fresh;
    const writer = await openEventWriter({ brokers, topic });
    try {
      for (const message of messages) await writer.write([message]);
    } finally {
      await writer.close();
    }
    await this.pipeline.ingest();
  }

  /** One lease over all open letters that there are now, unless it is told otherwise. */
  async input(changes: Changes = {}): Promise<ReplayLettersInput> {
    const { pool, schema } = this.database;
    const selection = changes.selection ?? selectLetters({ status: ['open'] }, 0);
    const { throughId } = await planReplay(pool, schema, { selection, limit: null });
    const repair = { steps: [], transform: null };
    return {
      spec: this.pipeline.spec,
      replay: 'r1',
      selection,
      after: '0',
      throughId,
      repair,
      rate: 10_000,
      leaseMs: 30_000,
      ...changes,
    };
  }

  async replay(changes: Changes = {}, environment = newEnvironment()): Promise<ReplayLettersResult> {
    const activity = createReplayLetters({ pool: this.database.pool, kafkaBrokers: this.fresh.brokers });
    const input = await this.input(changes);
    return await environment.run<[ReplayLettersInput], ReplayLettersResult, typeof activity>(activity, input);
  }

  /** Messages of partition 0 from this offset on. */
  async messagesFrom(fromOffset: number): Promise<Message[]> {
    const { endOffset } = must((await partitionOffsets(this.fresh))[0], 'partition 0');
    return await withReader(this.fresh, { fromOffset }, async (reader) => await readUpTo(reader, endOffset));
  }

  async letters(): Promise<DeadLetter[]> {
    const { pool, schema } = this.database;
    const { rows } = await pool.query<{ id: string }>(
      `select id::text as id from "${schema}".dead_letters order by id`,
    );
    return await Promise.all(rows.map(async ({ id }) => must(await readLetter(pool, schema, id), 'a letter')));
  }

  async count(from: string): Promise<number> {
    const { pool, schema } = this.database;
    const { rows } = await pool.query<{ n: number }>(`select count(*)::int as n from "${schema}".${from}`);
    return rows[0]?.n ?? 0;
  }
}
