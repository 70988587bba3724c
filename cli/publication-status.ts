// How far dead letters are on their way into their topic, for `weir status`: asked of PostgreSQL, and of Kafka when they wait.
import { TopicMissingError } from '../kafka/failures.ts';
import { describeTopic } from '../kafka/topics.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { deadLetterTopic, lettersId } from '../pipeline/ids.ts';
import type { Queryable } from '../postgres/pool.ts';
import { countUnpublishedLetters } from '../postgres/unpublished-letters.ts';

/** `waiting`: letters that their topic does not hold yet. `problem`: one sentence, once they have waited too long. */
export type Publication = {
  readonly topic: string;
  readonly waiting: number;
  /** There are more than were counted. */
  readonly atLeast: boolean;
  readonly waitedSeconds: number;
  readonly problem: string | null;
};

/** Several looks of the publisher, and the time that a lost worker's lease takes to be noticed. */
const TOO_LONG_MS = 60_000;

export async function readPublication(
  db: Queryable,
  { schema, topic, brokers }: { readonly schema: string; readonly topic: string; readonly brokers: readonly string[] },
): Promise<Publication> {
  const { letters, atLeast, waitedMs } = await countUnpublishedLetters(db, schema);
  const problem = waitedMs < TOO_LONG_MS ? null : await whyWaiting(brokers, topic);
  const waitedSeconds = Math.round(waitedMs / 1000);
  return { topic: deadLetterTopic(topic), waiting: letters, atLeast, waitedSeconds, problem };
}

async function whyWaiting(brokers: readonly string[], topic: string): Promise<string> {
  const target = deadLetterTopic(topic);
  try {
    await describeTopic({ brokers, topic: target });
    return `Dead letters wait for topic ${target} although it is there: workflow ${lettersId(topic)} in the Web UI says why; it needs a worker and a running pipeline.`;
  } catch (thrown) {
    if (!(thrown instanceof TopicMissingError)) return `Dead letters wait for topic ${target}: ${messageOf(thrown)}`;
    return `Dead letters wait in PostgreSQL because Kafka has no topic ${target}: \`weir up --create-topic\` makes it, or make it yourself.`;
  }
}
