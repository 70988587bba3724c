// The rows of `dead_letters` as binary COPY data: a refused message with its bytes, its headers and the reason.
import type { Header } from '../pipeline/message.ts';
import type { RejectedMessage } from '../pipeline/micro-batch.ts';
import type { CopyBuffer } from './copy-buffer.ts';

export const DEAD_LETTER_COLUMNS =
  'kafka_partition, kafka_offset, kafka_timestamp, key, value, headers, reason, field, detail';
const DEAD_LETTER_FIELDS = 9;

/** COPY data for `dead_letters`. It lies in `buffer` and is valid until that is used again. */
export function encodeDeadLetters(rejected: readonly RejectedMessage[], partition: number, buffer: CopyBuffer): Buffer {
  buffer.begin();
  for (const { message, rejection } of rejected) {
    const headers = headersJson(message.headers);
    const field = rejection.field === null ? null : storable(rejection.field);
    const detail = storable(rejection.detail);
    const bytes = (message.key?.length ?? 0) + (message.value?.length ?? 0);
    buffer.row(DEAD_LETTER_FIELDS, bytes + 3 * (headers.length + (field?.length ?? 0) + detail.length) + 200);
    buffer.int4(partition);
    buffer.int8(message.offset);
    buffer.clampedTimestamptz(message.timestampMs);
    buffer.bytea(message.key);
    buffer.bytea(message.value);
    buffer.text(headers);
    buffer.text(rejection.reason);
    buffer.text(field);
    buffer.text(detail);
  }
  return buffer.end();
}

/** Headers as the JSON text of their column: in order, repeated names kept, values (and names that are not UTF-8) in base64. */
export function headersJson(headers: readonly Header[]): string {
  return JSON.stringify(
    headers.map(({ name, value, nameBytes }) => ({
      name,
      value: value?.toString('base64') ?? null,
      nameBytes: nameBytes?.toString('base64'),
    })),
  );
}

/** text takes no U+0000: it is shown as the replacement character here; the message's own bytes are in `value`. */
function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}
