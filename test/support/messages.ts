// Messages as a topic would hold them, for tests that need particular ones.
import { randomUUID } from 'node:crypto';

import type { Message } from '../../pipeline/message.ts';

/** A valid page view; `changes` replaces or adds fields of its JSON. */
export function pageView(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    event_id: randomUUID(),
    event_type: 'page_view',
    user_id: 'user-1',
    timestamp: '2026-11-01T10:00:00.000Z',
    device: 'mobile',
    location: 'Berlin',
    session_id: 'session-1',
    page: 'product',
    referrer: 'search',
    duration_seconds: 12,
    ...changes,
  };
}

/** A message at `offset` that says `value`: an object as JSON, a string or bytes as they are. Its Kafka time lies after all test events. */
export function messageOf(offset: number, value: unknown, changes: Partial<Message> = {}): Message {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return { offset, timestampMs: Date.parse('2026-11-01T12:00:00Z'), key: null, value: bytes, headers: [], ...changes };
}
