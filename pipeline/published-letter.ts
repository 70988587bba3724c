// A dead letter as a message for other Kafka tools: the value is the original's, and so are the headers before ours.
import type { DeadLetter } from './dead-letter.ts';
import type { Header } from './message.ts';
import { formatOffset } from './offset.ts';

/** What publishing needs of a letter: all that was known when its message was refused. */
export type LetterToPublish = Omit<
  DeadLetter,
  'sentAtMs' | 'closedAtMs' | 'publishedAtMs' | 'note' | 'event' | 'children'
>;

/** `key`: where the message lay, as "partition/offset". */
export type PublishedLetter = {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
};

/** Not "weir-letter" alone: a refused replay carries that one as its own, and it stays. */
const PREFIX = 'weir-dead-letter-';

/**
 * The message that publishes a letter of `topic`. Headers: first the original's, in their order and unchanged, then ours,
 * always the same ones: null where there is nothing to say, numbers in decimal, times in epoch ms, the original's key as it
 * was. `weir-dead-letter-headers` counts the original's, which tells them apart even when a message that was published once
 * has been sent through the topic again with all its headers.
 */
export function publishedLetter(topic: string, letter: LetterToPublish): PublishedLetter {
  const { partition, headers } = letter;
  const offset = formatOffset(letter.offset);
  const ours: Readonly<Record<string, string | Buffer | null>> = {
    id: letter.id,
    reason: letter.reason,
    field: letter.field,
    detail: letter.detail,
    topic,
    partition: String(partition),
    offset,
    timestamp: String(letter.kafkaTimestampMs),
    key: letter.key,
    'refused-at': String(letter.refusedAtMs),
    attempt: String(letter.attempt),
    parent: letter.parent,
    headers: String(headers.length),
  };
  return {
    key: `${partition}/${offset}`,
    value: letter.value,
    headers: [...headers, ...Object.entries(ours).map(([name, value]) => header(`${PREFIX}${name}`, value))],
  };
}

const header = (name: string, value: string | Buffer | null): Header => ({
  name,
  value: typeof value === 'string' ? Buffer.from(value) : value,
});
