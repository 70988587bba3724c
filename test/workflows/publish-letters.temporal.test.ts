// publishLetters beside live ingestion: letters reach their topic, rest with the pipeline, and outlast a topic that is gone.
import { afterAll, beforeAll, describe, inject, it } from 'vitest';

import { ensureDeadLetterTopic } from '../../kafka/dead-letter-topic.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { deadLetterTopic, lettersId } from '../../pipeline/ids.ts';
import type { LettersPhase, LettersState } from '../../workflows/letters-state.ts';
import { eventually } from '../support/eventually.ts';
import { eventsFrom, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

const DAY = '2026-11-01T10:00:00.000Z';
const WITHIN = { deadlineMs: 90_000 };

/** `count` events, and as many messages that are none. */
async function sendHalfBad(world: PipelineWorld, count: number): Promise<void> {
  const events = eventsFrom(DAY, count);
  await world.send(events.flatMap((event) => [event, { ...event, event_type: 'unheard_of' }]));
}

const brokersOf = ({ servers, spec: { topic } }: PipelineWorld) => ({ brokers: servers.kafkaBrokers, topic });

async function published(world: PipelineWorld): Promise<number> {
  const place = { ...brokersOf(world), topic: deadLetterTopic(world.spec.topic) };
  return (await partitionOffsets(place)).reduce((sum, { endOffset }) => sum + endOffset, 0);
}

const untilPublished = async (world: PipelineWorld, count: number): Promise<unknown> =>
  await eventually(async () => (await published(world)) >= count, { ...WITHIN, what: `${count} letters published` });

async function untilPhase(world: PipelineWorld, phase: LettersPhase): Promise<LettersState> {
  const look = async (): Promise<LettersState | false> => {
    const state = await world.state<LettersState>(lettersId(world.spec.topic));
    return state.phase === phase && state;
  };
  return await eventually(look, { ...WITHIN, what: `the publisher is ${phase}` });
}

describe.concurrent('publishLetters', { timeout: 300_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, ...more });

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  it('copies each letter once beside live ingestion, rests with the pipeline, and continues as new', async ({
    expect,
  }) => {
    await inWorld(given({ options: { turnsPerRun: 2, leaseMs: 1_000 } }), async (world) => {
      await ensureDeadLetterTopic(brokersOf(world));
      const handle = await world.start();
      await sendHalfBad(world, 100);
      await untilPublished(world, 100);
      await handle.executeUpdate('pause');
      expect((await untilPhase(world, 'paused')).message).toContain('weir pipeline resume');
      const letters = world.client.workflow.getHandle(lettersId(world.spec.topic));
      expect((await letters.describe()).raw.pendingActivities).toEqual([]);
      await handle.executeUpdate('resume');
      await sendHalfBad(world, 50);
      await untilPublished(world, 150);
      const all = async (): Promise<boolean> =>
        (await world.state<LettersState>(lettersId(world.spec.topic))).published === 150;
      await eventually(all, { ...WITHIN, what: 'the count is carried from run to run' });
      expect(await world.count('dead_letters where published_at is null')).toBe(0);
      expect(await world.count('events')).toBe(150);
      await handle.executeUpdate('stop');
      await letters.result();
      expect(await published(world)).toBe(150);
    });
  });

  it('lets letters wait while their topic is gone, says so, and sends them on when it is back; ingestion goes on', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      const { topic } = world.spec;
      await ensureDeadLetterTopic(brokersOf(world));
      await world.start();
      await sendHalfBad(world, 20);
      await untilPublished(world, 20);
      await world.withAdmin(async (admin) => await admin.deleteTopics({ topics: [deadLetterTopic(topic)] }));
      await sendHalfBad(world, 30);
      await world.untilIngested(100);
      const { message } = await untilPhase(world, 'backing-off');
      expect(message).toMatch(
        /^Topic \S+\.dead-letters does not exist .* ingestion goes on\. It is tried again by itself\.$/,
      );
      expect(await world.count('events')).toBe(50);
      expect(await world.count('dead_letters where published_at is null')).toBe(30);
      await ensureDeadLetterTopic(brokersOf(world));
      await untilPublished(world, 30);
      const none = async (): Promise<boolean> => (await world.count('dead_letters where published_at is null')) === 0;
      await eventually(none, { ...WITHIN, what: 'no letter waits' });
    });
  });
});
