// A sample of what the fuzzer passed, put into real tables: what PostgreSQL does not take, or gives back otherwise, is a failure.
import { randomBytes } from 'node:crypto';

import { Client } from 'pg';

import { messageOf } from '../../pipeline/ensure.ts';
import type { Message } from '../../pipeline/message.ts';
import type { RecordedEvent, RejectedMessage } from '../../pipeline/micro-batch.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { ParseRules } from '../../pipeline/parse-message.ts';
import { CopyBuffer } from '../../postgres/copy-buffer.ts';
import { DEAD_LETTER_COLUMNS, encodeDeadLetters } from '../../postgres/dead-letters.ts';
import { EVENT_COLUMNS, encodeEvents } from '../../postgres/event-rows.ts';
import { fusedCopy } from '../../postgres/fused-copy.ts';
import { migrate } from '../../postgres/migrate.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';

type Judged = { readonly message: Message; readonly rules: ParseRules };

const EVENTS_COPY = `copy sample_events (${EVENT_COLUMNS}) from stdin (format binary)`;
const LETTERS_COPY = `copy sample_letters (${DEAD_LETTER_COLUMNS}) from stdin (format binary)`;

/** Stores the sample in tables like the real ones, and reads it back; sentences about what went wrong. */
export async function storeSample(url: string, sample: readonly Judged[]): Promise<string[]> {
  const schema = `fuzz_${randomBytes(6).toString('hex')}`;
  await migrate({ url, schema });
  const tables = quoteSchema(schema);
  const client = new Client(clientConfig({ url }));
  await client.connect();
  try {
    await client.query(`create temp table sample_events (like ${tables}.events including defaults);
      create temp table sample_letters (like ${tables}.dead_letters including identity including defaults)`);
    const complaints: string[] = [];
    for (const judged of sample) complaints.push(...(await storeOne(client, judged)));
    return complaints;
  } finally {
    await client.query(`drop schema ${tables} cascade`);
    await client.end();
  }
}

const buffer = new CopyBuffer();

async function storeOne(client: Client, { message, rules }: Judged): Promise<string[]> {
  const { event, rejection } = parseMessage(message, rules);
  try {
    return event === null
      ? await storeLetter(client, { message, rejection })
      : await storeEvent(client, { message, event });
  } catch (thrown) {
    return [`Message ${message.offset}: PostgreSQL says "${messageOf(thrown)}".`];
  }
}

async function storeEvent(client: Client, recorded: RecordedEvent): Promise<string[]> {
  await fusedCopy(client, EVENTS_COPY, [encodeEvents([recorded], 0, buffer)]);
  const { rows } = await client.query<{ extra: string | null; user_id: string; query: string | null; us: string }>(
    `delete from sample_events
     returning extra::text as extra, user_id, search_query as query, (extract(epoch from occurred_at) * 1000000)::bigint::text as us`,
  );
  const { event, message } = recorded;
  const us = BigInt(event.occurredAtMs) * 1000n + BigInt(event.occurredAtUs);
  const row = rows[0];
  const same = row?.user_id === event.fields.user_id && row.query === (event.fields.search_query ?? null);
  const sameExtra = sameNames(row?.extra ?? null, event.extra);
  return same && sameExtra && row.us === String(us)
    ? []
    : [`Message ${message.offset} is another event in PostgreSQL.`];
}

async function storeLetter(client: Client, refused: RejectedMessage): Promise<string[]> {
  await fusedCopy(client, LETTERS_COPY, [encodeDeadLetters([refused], 0, buffer)]);
  const { rows } = await client.query<{ value: Buffer | null; reason: string }>(
    'delete from sample_letters returning value, reason',
  );
  const { message, rejection } = refused;
  const same =
    rows[0]?.reason === rejection.reason && rows[0].value?.toString('hex') === message.value?.toString('hex');
  return same ? [] : [`Message ${message.offset} is another letter in PostgreSQL.`];
}

/** Names at the top: numbers come back in another form, and jsonb sorts. */
function sameNames(stored: string | null, kept: string | null): boolean {
  const namesIn = (json: string | null): string => JSON.stringify(Object.keys(JSON.parse(json ?? '{}')).toSorted());
  return namesIn(stored) === namesIn(kept);
}
