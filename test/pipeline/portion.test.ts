// However much one fetch brings, a micro-batch stays small, and no offset goes missing between two of them.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Message } from '../../pipeline/message.ts';
import { portionsOf } from '../../pipeline/portion.ts';

function messageAt(offset: number, bytes: number): Message {
  return { offset, timestampMs: 0, key: null, value: bytes === 0 ? null : Buffer.alloc(bytes), headers: [] };
}

const fetches = fc
  .record({
    fromOffset: fc.nat(1_000_000),
    sizes: fc.array(fc.record({ hole: fc.nat(3), bytes: fc.nat(50) }), { maxLength: 60 }),
    after: fc.nat(3),
  })
  .map(({ fromOffset, sizes, after }) => {
    let next = fromOffset;
    const messages = sizes.map(({ hole, bytes }) => {
      const message = messageAt(next + hole, bytes);
      next = message.offset + 1;
      return message;
    });
    return { messages, fromOffset, nextOffset: next + after };
  });

test('portions follow each other without a gap and hold every message once, in order', () => {
  fc.assert(
    fc.property(fetches, (fetched) => {
      const portions = portionsOf(fetched, { mostMessages: 7, mostBytes: 100 });
      expect(portions.flatMap(({ messages }) => messages)).toEqual(fetched.messages);
      expect(portions.at(-1)?.nextOffset).toBe(fetched.nextOffset);
      for (const [at, { messages, fromOffset, nextOffset }] of portions.entries()) {
        expect(fromOffset).toBe(portions[at - 1]?.nextOffset ?? fetched.fromOffset);
        for (const { offset } of messages) expect(offset >= fromOffset && offset < nextOffset).toBe(true);
      }
    }),
  );
});

test('no portion is larger than allowed, unless one message is', () => {
  fc.assert(
    fc.property(fetches, (fetched) => {
      for (const { messages } of portionsOf(fetched, { mostMessages: 7, mostBytes: 100 })) {
        const bytes = messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
        expect(messages.length <= 7 && (bytes <= 100 || messages.length === 1)).toBe(true);
      }
    }),
  );
});

test('a fetch of the usual size is one portion as it is, and so is an empty one', () => {
  const usual = { messages: [messageAt(5, 272), messageAt(6, 272)], fromOffset: 5, nextOffset: 7 };
  expect(portionsOf(usual)).toEqual([usual]);
  const empty = { messages: [], fromOffset: 7, nextOffset: 9 };
  expect(portionsOf(empty)).toEqual([empty]);
});

test('a message that alone is larger than a portion goes alone', () => {
  const fetched = { messages: [messageAt(0, 10), messageAt(1, 500), messageAt(2, 10)], fromOffset: 0, nextOffset: 3 };
  expect(portionsOf(fetched, { mostBytes: 100 }).map(({ messages }) => messages.length)).toEqual([1, 1, 1]);
});

test('large keys and large headers fill a portion as large values do', () => {
  const large = Buffer.alloc(80);
  const messages = [messageAt(0, 0), messageAt(1, 0), messageAt(2, 0), messageAt(3, 0)].map((message, at) =>
    at % 2 === 0 ? { ...message, key: large } : { ...message, headers: [{ name: 'h', value: large }] },
  );
  const portions = portionsOf({ messages, fromOffset: 0, nextOffset: 4 }, { mostBytes: 100 });
  expect(portions.map((portion) => portion.messages.length)).toEqual([1, 1, 1, 1]);
});
