// A portion of a fetch: few enough messages for one micro-batch, however many a compressed record batch unpacks to.
import type { FetchedRange } from './micro-batch.ts';

/** Above what a fetch of ingestion brings uncompressed, so that only compression is ever cut. */
const MOST_MESSAGES = 5_000;
const MOST_VALUE_BYTES = 4 * 1024 * 1024;

/**
 * Cuts a fetch into portions that cover its offsets without a gap. A single message larger than a portion's bytes is one by
 * itself; a fetch without messages is one portion.
 */
export function portionsOf(
  fetched: FetchedRange,
  { mostMessages = MOST_MESSAGES, mostValueBytes = MOST_VALUE_BYTES } = {},
): FetchedRange[] {
  const { messages, nextOffset } = fetched;
  const portions: FetchedRange[] = [];
  let first = 0;
  let { fromOffset } = fetched;
  let bytes = 0;
  for (const [at, { offset, value }] of messages.entries()) {
    const size = value?.length ?? 0;
    if (at > first && (at - first === mostMessages || bytes + size > mostValueBytes)) {
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
