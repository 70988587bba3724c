// Named points in the bytes of a micro-batch's transaction, as a worker sends them to PostgreSQL.
import type { FindPoint } from '../support/tcp-proxy.ts';

/** Each is reached when everything before it has left the worker, and nothing behind it. */
export type WirePoint = 'before the transaction' | 'after advance_checkpoint' | 'in mid-copy' | 'before commit';

const QUERY = 'Q'.charCodeAt(0);
const COPY_DATA = 'd'.charCodeAt(0);
const COPY_DONE = 'c'.charCodeAt(0);
const HEAD_BYTES = 5;

/**
 * Finds the point in the next micro-batch that brings events. To be set while the line is silent: it counts messages, each a
 * type, a length and its body.
 */
export function wirePoint(point: WirePoint): FindPoint {
  /** Bytes of the present message that have not come yet, and where in it to stop. */
  let bodyLeft = 0;
  let stopWhenLeft = -1;
  let head = Buffer.alloc(0);
  let copiesLeft = 0;

  /** Bytes of the message that still pass, or null when all of it does. */
  const begin = (type: number, length: number, body: string): number | null => {
    if (type === QUERY && body.includes('advance_checkpoint') && body.includes('copy ')) {
      copiesLeft = body.split('copy ').length - 1;
      if (point === 'before the transaction') return 0;
      if (point === 'after advance_checkpoint') return HEAD_BYTES + length;
    }
    if (type === COPY_DATA && copiesLeft > 0 && point === 'in mid-copy') return HEAD_BYTES + (length >> 1);
    if (type === COPY_DONE && --copiesLeft === 0 && point === 'before commit') return 0;
    return null;
  };

  return (chunk, from) => {
    if (from !== 'client') return null;
    let at = 0;
    while (at < chunk.length) {
      if (bodyLeft === 0) {
        const headStart = at - head.length;
        const wanted = HEAD_BYTES - head.length;
        head = Buffer.concat([head, chunk.subarray(at, at + wanted)]);
        at += wanted;
        if (head.length < HEAD_BYTES) break;
        bodyLeft = head.readInt32BE(1) - 4;
        const body = head[0] === QUERY ? chunk.toString('latin1', at, at + bodyLeft) : '';
        const passing = begin(head[0] ?? 0, bodyLeft, body);
        head = Buffer.alloc(0);
        if (passing === 0) return Math.max(0, headStart);
        stopWhenLeft = passing === null ? -1 : bodyLeft - (passing - HEAD_BYTES);
      }
      const taken = Math.min(bodyLeft, chunk.length - at);
      if (stopWhenLeft >= 0 && bodyLeft - taken <= stopWhenLeft) return at + (bodyLeft - stopWhenLeft);
      bodyLeft -= taken;
      at += taken;
    }
    return null;
  };
}
