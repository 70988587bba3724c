// An answer to a Fetch that ends too early is an error, never a shorter answer.
import { expect, test } from 'vitest';

import { readFetchResponse } from '../../kafka/fetch-response.ts';

const TOPIC = 'events';

/** An answer with so many bytes of records. */
function answer(recordBytes: number): Buffer {
  const head = Buffer.alloc(14 + 2 + TOPIC.length + 4 + 4 + 2 + 24 + 4 + 4 + 4);
  head.writeInt32BE(1, 10); // one topic
  head.writeInt16BE(TOPIC.length, 14);
  head.write(TOPIC, 16);
  head.writeInt32BE(1, 16 + TOPIC.length); // one partition
  head.writeInt32BE(recordBytes, head.length - 4);
  return Buffer.concat([head, Buffer.alloc(recordBytes, 7)]);
}

test('a whole answer gives all its records', () => {
  expect(readFetchResponse(answer(100)).records).toEqual(Buffer.alloc(100, 7));
});

test('an answer cut anywhere is refused as torn', () => {
  const whole = answer(100);
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => readFetchResponse(whole.subarray(0, length)), `cut after ${length} bytes`).toThrow(
      /^Kafka's answer to a Fetch is torn: /,
    );
  }
});
