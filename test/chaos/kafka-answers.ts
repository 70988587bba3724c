// Where in the bytes of a line an answer of Kafka to a fetch or to a produce request stands, told by the topic it names.
import type { FindPoint } from '../support/tcp-proxy.ts';

/** Size and correlation id of an answer; a line carries one answer at a time, so that it begins with a chunk. */
const HEAD_BYTES = 8;
/** Throttle time, error code, session, count of topics: what a fetch's answer says before its topic. */
const BEFORE_FETCHED_TOPIC = HEAD_BYTES + 14;
/** The count of topics alone. */
const BEFORE_PRODUCED_TOPIC = HEAD_BYTES + 4;
/** An answer that is longer than this has records in it. */
const EMPTY_FETCH_BYTES = 150;

function names(topic: string, { chunk, at }: { chunk: Buffer; at: number }): boolean {
  const end = at + 2 + topic.length;
  return chunk.length >= end && chunk.readInt16BE(at) === topic.length && chunk.toString('utf8', at + 2, end) === topic;
}

/** How far behind the beginning of `chunk` the middle of its answer lies; null unless it brings records of `topic`. */
export function middleOfFetch(topic: string, chunk: Buffer): number | null {
  if (!names(topic, { chunk, at: BEFORE_FETCHED_TOPIC })) return null;
  const bytes = 4 + chunk.readInt32BE(0);
  return bytes < EMPTY_FETCH_BYTES + topic.length ? null : Math.floor(bytes / 2);
}

/** The middle of an answer that brings records of `topic`, or the end of its first chunk; `found` is called when there is one. */
export function midFetch(topic: string, found: () => void): FindPoint {
  return (chunk, from) => {
    const middle = from === 'server' ? middleOfFetch(topic, chunk) : null;
    if (middle === null) return null;
    found();
    return Math.min(chunk.length, middle);
  };
}

/** Just before an answer that confirms messages of `topic`: they are written, and nobody is told. */
export function beforeConfirmation(topic: string, found: () => void): FindPoint {
  return (chunk, from) => {
    if (from !== 'server' || !names(topic, { chunk, at: BEFORE_PRODUCED_TOPIC })) return null;
    found();
    return 0;
  };
}
