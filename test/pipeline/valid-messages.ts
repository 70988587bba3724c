// One valid message of each event type, and ways to spoil it.
import type { EventType } from '../../pipeline/event.ts';
import type { Message } from '../../pipeline/message.ts';
import type { ParseRules, Verdict } from '../../pipeline/parse-message.ts';

export const KAFKA_MS = Date.parse('2024-05-01T12:00:00.000Z');
export const RULES: ParseRules = { maxFutureMs: 300_000, retentionMs: null };

const COMMON = {
  event_id: '123e4567-e89b-12d3-a456-426614174000',
  user_id: 'user_1',
  timestamp: '2024-05-01T12:00:00.000Z',
  device: 'mobile',
  location: 'Berlin, DE',
  session_id: 'session_1',
};

export const VALID: Readonly<Record<EventType, Readonly<Record<string, unknown>>>> = {
  user_login: { ...COMMON, event_type: 'user_login', login_method: 'email', success: true },
  page_view: { ...COMMON, event_type: 'page_view', page: 'home', referrer: 'direct', duration_seconds: 0 },
  item_click: { ...COMMON, event_type: 'item_click', item_id: 'item_1', category: 'books', position: 1 },
  purchase: {
    ...COMMON,
    event_type: 'purchase',
    order_id: 'order_1',
    items: ['item_1', 'item_2'],
    quantities: [1, 2],
    total_amount: 12.3,
    currency: 'EUR',
    payment_method: 'paypal',
  },
  cart_add: { ...COMMON, event_type: 'cart_add', item_id: 'item_1', quantity: 1, category: 'books', price: 4.1 },
  search: { ...COMMON, event_type: 'search', search_query: '', results_count: 0, clicked_position: null },
};

export function messageWith(value: Buffer | string | null, timestampMs = KAFKA_MS): Message {
  return {
    offset: 0,
    timestampMs,
    key: null,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: [],
  };
}

/** The message of a valid event with these fields replaced; undefined leaves a field out. */
export function changed(type: EventType, fields: Readonly<Record<string, unknown>>): Message {
  return messageWith(JSON.stringify({ ...VALID[type], ...fields }));
}

/** The message of a valid event with this JSON text as one more member at its end. */
export function withMember(type: EventType, member: string): Message {
  return messageWith(`${JSON.stringify(VALID[type]).slice(0, -1)},${member}}`);
}

/** "event", or the reason and the field of the rejection: "wrong_field position". */
export function outcome({ rejection }: Verdict): string {
  return rejection === null ? 'event' : [rejection.reason, rejection.field].filter((part) => part !== null).join(' ');
}
