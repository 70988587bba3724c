// A message of a generator as people read it: who did what, and what is wrong with it.
import type { Item } from '../generator/catalogue.ts';
import type { ProducedMessage } from '../generator/produced-message.ts';
import { formatDuration } from '../pipeline/duration.ts';
import type { Event, EventFields } from '../pipeline/event.ts';
import { parseMessage } from '../pipeline/parse-message.ts';
import { readable } from '../pipeline/readable-bytes.ts';

/** `due`: when it is sent, ISO. `trouble`: empty when it is an event of its own, told when it happened. */
export type ToldMessage = {
  readonly due: string;
  readonly user: string;
  readonly session: string;
  readonly type: string;
  readonly what: string;
  readonly trouble: string;
  readonly value: string;
};

const RULES = { maxFutureMs: 300_000, retentionMs: null };
const MOST_SHOWN = 80;

/** Describes messages in the order in which they are sent. */
export function describeMessages(messages: readonly ProducedMessage[], items: readonly Item[]): ToldMessage[] {
  const names = new Map(items.map(({ id, name }) => [id, name]));
  const toldAt = new Map<string, number>();
  return messages.map((message, number) => {
    const { key, value, timestampMs } = message;
    const raw = { offset: number, timestampMs, key: Buffer.from(key), value, headers: [] };
    const { event, rejection } = parseMessage(raw, RULES);
    const told = { due: new Date(timestampMs).toISOString(), value: readable(value) };
    if (event === null) {
      const what = shortened(readable(Buffer.from(rejection.detail)));
      return { ...told, user: key, session: '', type: '-', what, trouble: `malformed: ${rejection.reason}` };
    }
    const first = toldAt.get(event.eventId);
    if (first === undefined) toldAt.set(event.eventId, number);
    const { fields } = event;
    return {
      ...told,
      user: fields.user_id,
      session: fields.session_id,
      type: fields.event_type,
      what: deed(fields, names),
      trouble: troubles({ event, message, back: first === undefined ? null : number - first }).join(', '),
    };
  });
}

const shortened = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}...` : text);

function troubles(of: { event: Event; message: ProducedMessage; back: number | null }): string[] {
  const { event, message, back } = of;
  const agoMs = message.timestampMs - event.occurredAtMs;
  return [
    ...(back === null ? [] : [back === 1 ? 'the same again' : `the same as ${back} lines above`]),
    ...(message.key === event.fields.user_id ? [] : ['under another key']),
    ...(agoMs > 0 && back === null ? [`tells of ${roughly(agoMs)} ago`] : []),
    ...(agoMs < 0 ? [`clock ${roughly(-agoMs)} ahead`] : []),
    ...((event.fields.schema_version ?? 1) > 1 ? [`schema version ${event.fields.schema_version}`] : []),
  ];
}

/** Nobody wants the milliseconds of minutes. */
const roughly = (ms: number): string => formatDuration(ms < 10_000 ? ms : Math.round(ms / 1_000) * 1_000);

type Names = ReadonlyMap<string, string>;

function deed(fields: EventFields, names: Names): string {
  const named = (id = ''): string => `${id} (${names.get(id) ?? 'unknown'})`;
  switch (fields.event_type) {
    case 'user_login':
      return `by ${fields.login_method}${fields.success ? '' : ', refused'}`;
    case 'page_view':
      return `${fields.page}, ${formatDuration((fields.duration_seconds ?? 0) * 1_000)}, came by ${fields.referrer}`;
    case 'item_click':
      return `${named(fields.item_id)}, position ${fields.position}`;
    case 'cart_add':
      return `${fields.quantity} x ${named(fields.item_id)} at ${fields.price}`;
    case 'search': {
      const clicked = fields.clicked_position ?? null;
      const click = clicked === null ? 'none clicked' : `clicked number ${clicked}`;
      return `"${fields.search_query}": ${fields.results_count} found, ${click}`;
    }
    // A purchase.
    default: {
      const lines = (fields.items ?? []).map((id, nth) => `${fields.quantities?.[nth]} x ${id}`);
      const coupon = fields.coupon_code === undefined ? '' : `, coupon ${fields.coupon_code}`;
      return `${lines.join(', ')} = ${fields.total_amount} ${fields.currency} by ${fields.payment_method}${coupon}`;
    }
  }
}
