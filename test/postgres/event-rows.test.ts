// COPY data of events: what a hostile order makes of it.
import { expect, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { CopyBuffer } from '../../postgres/copy-buffer.ts';
import { encodeEvents } from '../../postgres/event-rows.ts';
import { changed, RULES } from '../pipeline/valid-messages.ts';

const MIB = 1_048_576;

test('an order of 100,000 short items takes a buffer of its own size, not of 100,000 long ones', () => {
  const items = Array.from({ length: 100_000 }, () => 'i');
  const message = changed('purchase', { items, quantities: items.map(() => 1) });
  const event = must(parseMessage(message, RULES).event, 'the order');
  const data = encodeEvents([{ event, message }], 0, new CopyBuffer());
  expect(data.length).toBeGreaterThan(100_000 * 13);
  expect(data.buffer.byteLength).toBeLessThan(4 * MIB);
});

test('an order of the longest items is encoded whole', () => {
  const items = Array.from({ length: 600 }, () => '\u8a9e'.repeat(512));
  const message = changed('purchase', { items, quantities: items.map(() => 1) });
  const event = must(parseMessage(message, RULES).event, 'the order');
  const data = encodeEvents([{ event, message }], 0, new CopyBuffer());
  expect(data.toString('utf8').split('\u8a9e')).toHaveLength(600 * 512 + 1);
});
