// The topic of dead letters: made beside the topic whose messages were refused, for the tools that look for them in Kafka.
import { deadLetterTopic } from '../pipeline/ids.ts';
import { ensureTopic } from './topics.ts';
import type { EnsuredTopic } from './topics.ts';

/**
 * One: letters are few, one partition takes far more of them than PostgreSQL gives, and whoever reads it has them in the
 * order in which they were refused. The key spreads them where somebody adds partitions.
 */
const PARTITIONS = 1;

/**
 * `max.message.bytes`: a message of the largest size that Kafka takes by default is larger as a letter, by the headers that
 * say why; and the original may have come compressed. 8 MiB is also the most that hosted Kafkas commonly allow.
 * `cleanup.policy`: compaction would take a letter whose message was a tombstone for one.
 */
const SETTINGS = { 'max.message.bytes': '8388608', 'cleanup.policy': 'delete' } as const;

/** Makes the topic of `topic`'s dead letters when it is missing; one that exists is left as it is. Throws as ensureTopic does. */
export async function ensureDeadLetterTopic({
  brokers,
  topic,
}: {
  readonly brokers: readonly string[];
  readonly topic: string;
}): Promise<EnsuredTopic> {
  return await ensureTopic({ brokers, topic: deadLetterTopic(topic), partitions: PARTITIONS, settings: SETTINGS });
}
