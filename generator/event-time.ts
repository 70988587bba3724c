// Event time: when what a message tells of happened, and that as text.
import { must } from '../pipeline/ensure.ts';

const MILLISECONDS = Array.from({ length: 1_000 }, (_, ms) => `.${String(ms).padStart(3, '0')}Z`);

/** Writes epoch ms as ISO-8601 in UTC; quick for times that follow each other, which share their second. */
export function createTimeWriter(): (atMs: number) => string {
  let second = Number.NaN;
  let text = '';
  return (atMs) => {
    const itsSecond = Math.floor(atMs / 1_000);
    if (itsSecond !== second) {
      second = itsSecond;
      text = new Date(itsSecond * 1_000).toISOString().slice(0, -5);
    }
    return text + must(MILLISECONDS[atMs - itsSecond * 1_000], 'a text per millisecond');
  };
}
