// The topics that a pipeline needs: its own, without which nothing starts, and that of its dead letters, which may come later.
import { createInterface } from 'node:readline/promises';

import { ensureDeadLetterTopic } from '../kafka/dead-letter-topic.ts';
import { TopicMissingError } from '../kafka/failures.ts';
import { describeTopic, ensureTopic } from '../kafka/topics.ts';
import type { StackAddresses } from '../local/stack.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { deadLetterTopic } from '../pipeline/ids.ts';
import type { Settings } from '../pipeline/settings.ts';
import { CliFailure } from './failure.ts';
import { plural } from './output.ts';

/** `createTopic`: make what is missing also on a Kafka that is not ours. */
type Wish = {
  readonly settings: Settings;
  readonly createTopic: boolean;
  readonly report: (line: string) => void;
};

/** Makes what is missing. Throws one sentence where the pipeline's own topic is missing and may not be made. */
export async function provideTopics(wish: Wish, { kafka: { brokers } }: StackAddresses): Promise<void> {
  const { settings, report } = wish;
  const { topic, partitions } = settings;
  const mayCreate = await mayBeMade(wish, brokers);
  const made = await ensureTopic({ brokers, topic, partitions });
  if (made.created) report(`Topic ${topic} is created with ${plural(made.partitions, 'partition')}`);
  try {
    if (mayCreate) await ensureDeadLetterTopic({ brokers, topic });
    else await describeTopic({ brokers, topic: deadLetterTopic(topic) });
  } catch (thrown) {
    report(`${whyUnpublished(thrown, topic)} Dead letters wait in PostgreSQL until then; everything else goes on.`);
  }
}

/** A broker that is not ours is somebody's: nothing is made there without a word. */
async function mayBeMade({ settings, createTopic }: Wish, brokers: readonly string[]): Promise<boolean> {
  const { topic, partitions } = settings;
  if (settings.kafkaBrokers === null || createTopic) return true;
  if (await topicExists(brokers, topic)) return false;
  const fact = `Kafka at ${brokers.join(',')} has no topic ${topic}.`;
  const shape = plural(partitions, 'partition');
  if (await confirmed(`${fact} Create it with ${shape}, and ${deadLetterTopic(topic)} beside it? [y/N] `)) return true;
  throw new CliFailure(
    `${fact} Give --create-topic to have it made with ${shape} (WEIR_PARTITIONS), make it yourself, or name another one by WEIR_TOPIC.`,
  );
}

function whyUnpublished(thrown: unknown, topic: string): string {
  if (!(thrown instanceof TopicMissingError)) return messageOf(thrown);
  return `Kafka has no topic ${deadLetterTopic(topic)}: give --create-topic to have it made, or make it yourself.`;
}

async function topicExists(brokers: readonly string[], topic: string): Promise<boolean> {
  try {
    await describeTopic({ brokers, topic });
    return true;
  } catch (thrown) {
    if (thrown instanceof TopicMissingError) return false;
    throw thrown;
  }
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await reader.question(question)).trim());
  } finally {
    reader.close();
  }
}
