// The topic of dead letters after a run: every letter of the table is in it, whole, and nothing else is.
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { deadLetterTopic } from '../../pipeline/ids.ts';
import type { Message } from '../../pipeline/message.ts';
import { headersJson } from '../../postgres/dead-letters.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { ChaosWorld } from './chaos-world.ts';

/** `again`: messages that repeat one before. `foreign`: those that are no letter of the table, or another one than they say. */
export type PublishedLetters = {
  readonly letters: number;
  readonly missing: number;
  readonly again: number;
  readonly foreign: number;
};

type Row = {
  id: string;
  place: string;
  reason: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: string;
};

const OURS = 13;

export async function countUnpublished({ pool, spec }: Pick<ChaosWorld, 'pool' | 'spec'>): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from ${quoteSchema(spec.schema)}.dead_letters where published_at is null`,
  );
  return rows[0]?.n ?? 0;
}

/** Reads the whole topic of dead letters and holds it to the table. */
export async function comparePublished({ pool, spec, stack }: ChaosWorld): Promise<PublishedLetters> {
  const place = { brokers: stack.addresses.kafka.brokers, topic: deadLetterTopic(spec.topic) };
  const { rows } = await pool.query<Row>(
    `select id::text as id, kafka_partition || '/' || kafka_offset as place, reason, key, value, headers::text as headers
       from ${quoteSchema(spec.schema)}.dead_letters`,
  );
  const letters = new Map(rows.map((row) => [row.id, row]));
  const seen = new Set<string>();
  const found = { again: 0, foreign: 0 };
  for (const { partition, endOffset } of await partitionOffsets(place)) {
    const reader = await openPartitionReader({ ...place, partition, fromOffset: 0 });
    try {
      for (let nextOffset = 0; nextOffset < endOffset;) {
        const fetched = await reader.next();
        nextOffset = fetched.nextOffset;
        for (const message of fetched.messages) {
          const id = textOf(message, 'id') ?? '';
          const row = letters.get(id);
          if (!row || !isLetter(message, row)) found.foreign += 1;
          else if (seen.has(id)) found.again += 1;
          else seen.add(id);
        }
      }
    } finally {
      await reader.close();
    }
  }
  return { letters: letters.size, missing: letters.size - seen.size, ...found };
}

function isLetter(message: Message, row: Row): boolean {
  const originals = headersJson(message.headers.slice(0, -OURS));
  return (
    message.key?.toString() === row.place &&
    textOf(message, 'reason') === row.reason &&
    same(message.value, row.value) &&
    same(headerOf(message, 'key'), row.key) &&
    JSON.stringify(JSON.parse(row.headers)) === originals
  );
}

const headerOf = ({ headers }: Message, name: string): Buffer | null =>
  headers.findLast((header) => header.name === `weir-dead-letter-${name}`)?.value ?? null;
const textOf = (message: Message, name: string): string | null => headerOf(message, name)?.toString() ?? null;
const same = (one: Buffer | null, other: Buffer | null): boolean =>
  one === null || other === null ? one === other : one.equals(other);

/** What is wrong, one sentence each. */
export function publishedProblems({ missing, foreign }: PublishedLetters): string[] {
  return [
    ...(missing > 0 ? [`${missing} dead letters are not in their topic.`] : []),
    ...(foreign > 0 ? [`${foreign} messages of the topic of dead letters are no letters, or not as they were.`] : []),
  ];
}
