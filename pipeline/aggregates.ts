// The windowed aggregates, declared: from each entry come the SQL that closes its windows, the SQL that recounts them from
// `events`, and the columns of its result table. A new one is one entry here and one migration. What it can ask for is what
// facts say (postgres/fact-source.ts), which is looked at when the program starts.
import type { EventType } from './event.ts';
import { lastWindowEndOf, sliding, tumbling } from './window.ts';
import type { WindowKind } from './window.ts';

/** The columns of `events` that aggregates group by and look at the values of. */
export const EVENT_KEYS = ['user_id', 'session_id', 'event_type', 'device', 'location', 'currency'] as const;
export type EventKey = (typeof EVENT_KEYS)[number];

/**
 * What a result column says of a window's events. `uniques` and `least` look at the values of one key (`least` is the
 * smallest by code point); `revenue` at `total_amount`; `eventsByType` is `{type: count}` of the types present.
 */
export type Measure =
  | { readonly kind: 'events' | 'eventsByType' | 'firstAt' | 'lastAt' | 'durationSeconds' }
  | { readonly kind: 'uniques' | 'least'; readonly of: EventKey }
  | { readonly kind: 'revenue'; readonly take: 'sum' | 'average' | 'min' | 'max' };

/**
 * One windowed aggregate. `name` is also its result table. `eventTypes` null: all. Group columns must never be null in the
 * events that the filter leaves. Exactly one measure is of kind `events`: it also fills `windows.events`.
 */
export type Aggregate = {
  readonly name: string;
  readonly window: WindowKind;
  readonly eventTypes: readonly EventType[] | null;
  readonly groupBy: readonly EventKey[];
  readonly measures: Readonly<Record<string, Measure>>;
};

const MINUTE_MS = 60_000;

export const AGGREGATES: readonly Aggregate[] = [
  {
    name: 'event_counts',
    window: tumbling(MINUTE_MS),
    eventTypes: null,
    groupBy: ['event_type'],
    measures: {
      event_count: { kind: 'events' },
      unique_users: { kind: 'uniques', of: 'user_id' },
    },
  },
  {
    name: 'user_activity',
    window: sliding(5 * MINUTE_MS, MINUTE_MS),
    eventTypes: null,
    groupBy: ['user_id'],
    measures: {
      event_count: { kind: 'events' },
      events_by_type: { kind: 'eventsByType' },
      first_event: { kind: 'firstAt' },
      last_event: { kind: 'lastAt' },
    },
  },
  {
    name: 'purchase_metrics',
    window: tumbling(10 * MINUTE_MS),
    eventTypes: ['purchase'],
    groupBy: ['currency'],
    measures: {
      total_orders: { kind: 'events' },
      total_revenue: { kind: 'revenue', take: 'sum' },
      avg_order_value: { kind: 'revenue', take: 'average' },
      max_order_value: { kind: 'revenue', take: 'max' },
      min_order_value: { kind: 'revenue', take: 'min' },
      unique_buyers: { kind: 'uniques', of: 'user_id' },
    },
  },
  {
    name: 'session_metrics',
    window: tumbling(5 * MINUTE_MS),
    eventTypes: null,
    groupBy: ['session_id'],
    measures: {
      // A session has one user; should hostile data give it several, every recount must still name the same one.
      user_id: { kind: 'least', of: 'user_id' },
      events_in_session: { kind: 'events' },
      events_by_type: { kind: 'eventsByType' },
      session_start: { kind: 'firstAt' },
      session_end: { kind: 'lastAt' },
      session_duration_seconds: { kind: 'durationSeconds' },
    },
  },
  {
    name: 'device_stats',
    window: tumbling(10 * MINUTE_MS),
    eventTypes: null,
    groupBy: ['device', 'location'],
    measures: {
      event_count: { kind: 'events' },
      unique_users: { kind: 'uniques', of: 'user_id' },
      unique_sessions: { kind: 'uniques', of: 'session_id' },
    },
  },
];

/** Length of the longest window: how far before a boundary lie panes that windows still open there can hold. */
export const LONGEST_WINDOW_MS = Math.max(...AGGREGATES.map((aggregate) => aggregate.window.lengthMs));

/** End of the last window of any aggregate that holds the instant `atMs`. */
export function lastWindowEndOfAny(atMs: number): number {
  return Math.max(...AGGREGATES.map((aggregate) => lastWindowEndOf(aggregate.window, atMs)));
}
