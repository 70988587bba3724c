// Kafka deletes messages before they are read. The comparison with the golden run would miss them, so this befalls a small
// pipeline beside the large one, on the same servers and workers: it stops, says what is gone, and goes on once that is accepted.
import type { WorkflowHandle } from '@temporalio/client';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { connectKafka } from '../../kafka/client.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { must } from '../../pipeline/ensure.ts';
import { TASK_QUEUES, partitionId, pipelineId } from '../../pipeline/ids.ts';
import type { LostOffsets } from '../../pipeline/lost-range.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { migrate } from '../../postgres/migrate.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import {
  acceptGapUpdate,
  partitionStateQuery,
  pausePartitionUpdate,
  resumePartitionUpdate,
  stopPipelineUpdate,
} from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { isMoving } from './fault.ts';
import type { Chance, Fault, Injection } from './fault.ts';

const COUNT = 2_000;
const RATE = 10;
const WITHIN = { deadlineMs: 120_000 };
/** The partition that loses messages; the other one must go on meanwhile. */
const LOSER = 0;
const OTHER = 1;

async function loseAndAccept(world: ChaosWorld, chance: Chance): Promise<Injection> {
  const moved = isMoving(world);
  const beside = await BesidePipeline.open(world, chance);
  try {
    const lost = await beside.loseRange(chance);
    const noticed = await beside.stopsWith(lost);
    await beside.untilRead(OTHER);
    const gap = await beside.accept();
    await beside.untilRead(LOSER);
    await beside.mustVerify(lost);
    const detail = `offsets ${lost.fromOffset} to ${Number(lost.toOffset) - 1} gone, ${gap.lost} accepted, verified`;
    const exact = gap.fromOffset === lost.fromOffset && gap.toOffset === lost.toOffset && gap.lost === lost.lost;
    return { hit: moved && noticed && exact && Number(lost.lost) > 0, endedAtMs: Date.now(), detail };
  } finally {
    await beside.close();
  }
}

class BesidePipeline {
  readonly #world: ChaosWorld;
  readonly #topic: SeededTopic;
  readonly #spec: PipelineSpec;

  private constructor(world: ChaosWorld, topic: SeededTopic) {
    this.#world = world;
    this.#topic = topic;
    this.#spec = { ...world.spec, topic: topic.topic, schema: `chaos_lost_${topic.topic.slice(-8)}` };
  }

  /** A topic of its own with 2 partitions and the first half of its messages, all ingested. */
  static async open(world: ChaosWorld, chance: Chance): Promise<BesidePipeline> {
    const { kafka, postgres } = world.stack.addresses;
    const topic = await seededTopic(kafka.brokers, {
      partitions: 2,
      count: COUNT,
      startTimeMs: Date.now() - (COUNT / RATE) * 1_000,
      rate: RATE,
      seed: Math.floor(chance * 1_000_000),
      users: 100,
      duplicates: 0.02,
      malformed: 0.01,
    });
    const beside = new BesidePipeline(world, topic);
    await migrate({ url: postgres.url, schema: beside.#spec.schema });
    await world.client.workflow.start('runPipeline', {
      workflowId: pipelineId(topic.topic),
      taskQueue: TASK_QUEUES.windows,
      args: [{ spec: beside.#spec }],
    });
    await topic.send(0, COUNT / 2);
    await Promise.all([beside.untilRead(LOSER), beside.untilRead(OTHER)]);
    return beside;
  }

  /** While the partition rests the second half comes, and Kafka deletes a part of what the partition has not read. */
  async loseRange(chance: Chance): Promise<LostOffsets> {
    const partition = this.#partition();
    await partition.executeUpdate(pausePartitionUpdate);
    await this.#topic.send(COUNT / 2, COUNT);
    const from = await this.#nextOffset(LOSER);
    const end = await this.#endOffset(LOSER);
    const to = from + 1 + Math.floor(chance * (end - from - 1));
    await this.#deleteBefore(to);
    await partition.executeUpdate(resumePartitionUpdate);
    return { fromOffset: String(from), toOffset: String(to), lost: String(to - from) };
  }

  /** Waits until the partition has stopped; whether it then names exactly these offsets and the command. */
  async stopsWith({ fromOffset, toOffset, lost }: LostOffsets): Promise<boolean> {
    const { lostRange, message } = await eventually(
      async () => {
        const state = await this.#partition().query(partitionStateQuery);
        if (state.phase !== 'stopped: lost range') throw new Error(`it is ${state.phase}: ${state.message}`);
        return state;
      },
      { ...WITHIN, what: 'the partition stops on its lost range' },
    );
    const said = message.includes(`Offsets ${fromOffset} to ${Number(toOffset) - 1} of partition ${LOSER}`);
    const told = lostRange?.fromOffset === fromOffset && lostRange.toOffset === toOffset && lostRange.lost === lost;
    return told && said && message.includes(`weir partition accept-gap ${LOSER}`);
  }

  async accept(): Promise<LostOffsets> {
    return await this.#partition().executeUpdate(acceptGapUpdate);
  }

  async untilRead(partition: number): Promise<void> {
    const end = await this.#endOffset(partition);
    await eventually(
      async () => {
        const at = await this.#nextOffset(partition);
        if (at < end) throw new Error(`it is at ${at} of ${end}`);
        return true;
      },
      { ...WITHIN, what: `partition ${partition} beside is read to its end` },
    );
  }

  /** Throws when anything is missing, doubled or wrong besides the offsets that were accepted as lost. */
  async mustVerify({ lost }: LostOffsets): Promise<void> {
    const { kafka, postgres } = this.#world.stack.addresses;
    const found = await verifyPipeline({ brokers: kafka.brokers, postgresUrl: postgres.url, spec: this.#spec });
    const { acceptedGaps } = found.coverage;
    if (found.clean && acceptedGaps === Number(lost)) return;
    const examples = found.checks.flatMap((check) => check.examples.map((example) => `${check.name}: ${example}`));
    throw new Error(
      `The pipeline that lost ${lost} offsets counts ${acceptedGaps} as accepted and has ${found.differences} differences: ${examples.join(' ')}`,
    );
  }

  async close(): Promise<void> {
    const { client, pool } = this.#world;
    const pipeline = client.workflow.getHandle(pipelineId(this.#spec.topic));
    await pipeline.executeUpdate(stopPipelineUpdate);
    await pool.query(`drop schema ${quoteSchema(this.#spec.schema)} cascade`);
    await this.#topic.remove();
  }

  #partition(): WorkflowHandle {
    return this.#world.client.workflow.getHandle(partitionId(this.#spec.topic, LOSER));
  }

  async #nextOffset(partition: number): Promise<number> {
    const checkpoints = await readCheckpoints(this.#world.pool, this.#spec);
    return checkpoints.find((one) => one.partition === partition)?.nextOffset ?? 0;
  }

  async #endOffset(partition: number): Promise<number> {
    const { brokers } = this.#world.stack.addresses.kafka;
    const ends = await partitionOffsets({ brokers, topic: this.#spec.topic });
    return must(ends[partition], `partition ${partition}`).endOffset;
  }

  async #deleteBefore(offset: number): Promise<void> {
    const { topic } = this.#spec;
    const { brokers } = this.#world.stack.addresses.kafka;
    const admin = connectKafka({ brokers, clientId: 'weir-chaos' }).kafka.admin();
    await admin.connect();
    // Makes kafkajs look up the leader that deleteTopicRecords needs.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: LOSER, offset: String(offset) }] });
    await admin.disconnect();
  }
}

export const LOST_RANGE_FAULT: Fault = { name: 'records deleted (gap accepted)', inject: loseAndAccept };
