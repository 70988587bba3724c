// An offset: the position of a message in its partition. A number inside the process, a decimal string at every border.
import { assert } from './ensure.ts';

/** Parses a decimal offset of Kafka, PostgreSQL or JSON. Throws past 2^53, where a number would lose offsets. */
export function parseOffset(text: string): number {
  const offset = Number(text);
  assert(/^-?\d+$/.test(text) && Number.isSafeInteger(offset), `"${text}" is not an offset below 2^53.`);
  return offset;
}

/** Offset as the decimal string that crosses borders (int64 elsewhere). */
export function formatOffset(offset: number): string {
  assert(Number.isSafeInteger(offset), `${offset} is not a whole offset below 2^53.`);
  return String(offset);
}
