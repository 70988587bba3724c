// Whether a letter is in the topic of dead letters, as `weir dead-letters show` says it.
import { expect, test } from 'vitest';

import { letterLines } from '../../cli/letter-text.ts';
import type { DeadLetter } from '../../pipeline/dead-letter.ts';

const LETTER: DeadLetter = {
  id: '17',
  partition: 0,
  offset: 4,
  kafkaTimestampMs: 0,
  refusedAtMs: 0,
  reason: 'not_json',
  field: null,
  detail: 'It is no JSON.',
  status: 'open',
  attempt: 1,
  parent: null,
  key: null,
  value: null,
  headers: [],
  sentAtMs: null,
  closedAtMs: null,
  publishedAtMs: null,
  note: null,
  event: null,
  children: [],
};

test.each([
  [null, 'not yet; `weir status` says whether something is in the way'],
  [Date.UTC(2026, 10, 1), '2026-11-01T00:00:00.000Z, to the topic of dead letters'],
  ['refused by Kafka', 'not: Kafka found it larger than the max.message.bytes of the topic of dead letters'],
] as const)('published at %s', (publishedAtMs, text) => {
  const lines = letterLines({ ...LETTER, publishedAtMs }, { hex: false, full: false });
  expect(lines).toContain(`  published   ${text}`);
});
