// A portion of a fetch: few enough messages for one micro-batch, however many a compressed record batch unpacks to.
import type { Message } from './message.ts';
import type { FetchedRange } from './micro-batch.ts';

/** Above what a fetch of ingestion brings uncompressed, so that only compression is ever cut. */
const MOST_MESSAGES = 5_000;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Cuts a fetch into portions that cover its offsets without a gap. A single message larger than a portion's bytes is one by
 * itself; a fetch without messages is one portion.
 */
export function portionsOf(
  fetched: FetchedRange,
  { mostMessages = MOST_MESSAGES, mostBytes = MOST_BYTES } = {},
): FetchedRange[] {
  const { messages, nextOffset } = fetched;
  const portions: FetchedRange[] = [];
  let first = 0;
  let { fromOffset } = fetched;
  let bytes = 0;
  for (const [at, message] of messages.entries()) {
    const { offset } = message;
    const size = sizeOf(message);
    if (at > first && (at - first === mostMessages || bytes + size > mostBytes)) {
      portions.push({ messages: messages.slice(first, at), fromOffset, nextOffset: offset });
      first = at;
      fromOffset = offset;
      bytes = 0;
    }
    bytes += size;
  }
  portions.push(first === 0 ? fetched : { messages: messages.slice(first), fromOffset, nextOffset });
  return portions;
}

/** All that a dead letter would keep of it: a batch of large keys, or of headers, is as heavy as one of large values. */
function sizeOf({ key, value, headers }: Message): number {
  let size = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) size += header.name.length + (header.value?.length ?? 0);
  return size;
}
