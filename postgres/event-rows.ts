// The rows of `events` and `late_events` as binary COPY data, in the order of their column lists.
import type { RecordedEvent } from '../pipeline/micro-batch.ts';
import type { CopyBuffer } from './copy-buffer.ts';

export const EVENT_COLUMNS = [
  'event_id, occurred_at, event_type, user_id, device, location, session_id, schema_version',
  'login_method, success, page, referrer, duration_seconds, item_id, category, position',
  'order_id, items, quantities, total_amount, currency, payment_method, coupon_code, quantity, price',
  'search_query, results_count, clicked_position, extra, kafka_partition, kafka_offset, kafka_timestamp',
].join(', ');
const EVENT_FIELDS = 32;
/** 19 text fields of at most 512 UTF-16 units, three bytes each at most, and the rest. */
const EVENT_MAX_BYTES = 19 * 512 * 3 + 400;

export const LATE_COLUMNS = 'event_id, occurred_at, kafka_partition, kafka_offset, closed_through, beyond_horizon';

/** COPY data for `events`. It lies in `buffer` and is valid until that is used again. */
export function encodeEvents(events: readonly RecordedEvent[], partition: number, buffer: CopyBuffer): Buffer {
  buffer.begin();
  for (const recorded of events) encodeEvent(recorded, partition, buffer);
  return buffer.end();
}

function encodeEvent({ event, message }: RecordedEvent, partition: number, buffer: CopyBuffer): void {
  const { fields, extra } = event;
  const variableBytes = listsBytes(fields.items) + (extra?.length ?? 0) * 3;
  buffer.row(EVENT_FIELDS, EVENT_MAX_BYTES + variableBytes);
  buffer.uuid(event.eventId);
  buffer.timestamptz(event.occurredAtMs, event.occurredAtUs);
  buffer.text(fields.event_type);
  buffer.text(fields.user_id);
  buffer.text(fields.device);
  buffer.text(fields.location);
  buffer.text(fields.session_id);
  buffer.int4(fields.schema_version ?? 1);
  buffer.text(fields.login_method);
  buffer.bool(fields.success);
  buffer.text(fields.page);
  buffer.text(fields.referrer);
  buffer.int4(fields.duration_seconds);
  buffer.text(fields.item_id);
  buffer.text(fields.category);
  buffer.int4(fields.position);
  buffer.text(fields.order_id);
  buffer.textArray(fields.items);
  buffer.int4Array(fields.quantities);
  buffer.money(fields.total_amount);
  buffer.text(fields.currency);
  buffer.text(fields.payment_method);
  buffer.text(fields.coupon_code);
  buffer.int4(fields.quantity);
  buffer.money(fields.price);
  buffer.text(fields.search_query);
  buffer.int4(fields.results_count);
  buffer.int4(fields.clicked_position);
  buffer.jsonb(extra);
  buffer.int4(partition);
  buffer.int8(message.offset);
  buffer.clampedTimestamptz(message.timestampMs);
}

/**
 * At most, of the items of an order and their quantities, which are as many. Summed up over the items: 512 characters for
 * each of 100,000 short ones would be a buffer of 150 MB, and it would stay that large.
 */
function listsBytes(items: readonly string[] | undefined): number {
  let bytes = 0;
  if (items !== undefined) for (const item of items) bytes += item.length * 3 + 16;
  return bytes;
}

export type LateRules = { readonly closedThroughMs: number; readonly amendHorizonMs: number };

/** COPY data for `late_events`: these events, marked against the `closed_through` that the batch was judged by. */
export function encodeLateEvents(
  late: readonly RecordedEvent[],
  { partition, closedThroughMs, amendHorizonMs }: LateRules & { readonly partition: number },
  buffer: CopyBuffer,
): Buffer {
  buffer.begin();
  for (const { event, message } of late) {
    buffer.row(6, 100);
    buffer.uuid(event.eventId);
    buffer.timestamptz(event.occurredAtMs, event.occurredAtUs);
    buffer.int4(partition);
    buffer.int8(message.offset);
    buffer.timestamptz(closedThroughMs, 0);
    buffer.bool(event.occurredAtMs < closedThroughMs - amendHorizonMs);
  }
  return buffer.end();
}
