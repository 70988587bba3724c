// The shop's report: what a run of events amounts to; the mix of types, the sessions, and how the funnel narrows.
import { EVENT_TYPES } from '../pipeline/event.ts';
import type { EventFields, EventType } from '../pipeline/event.ts';
import { Census, FUNNEL_STEPS } from './session-census.ts';
import type { FunnelStep, SessionCensus } from './session-census.ts';

/** Shares are fractions of all events; a type that does not come up has 0. */
type TypeShare = { readonly type: EventType; readonly events: number; readonly share: number };

/**
 * `users`: how many, exact up to a million, `null` above it. `funnel`: for each step the sessions that `reached` it after all
 * those before it, and the `rate` of those among the sessions at the step before; at the first, among all.
 */
export type ShopReport = {
  readonly events: number;
  readonly users: number | null;
  readonly sessions: SessionCensus;
  readonly mix: readonly TypeShare[];
  readonly funnel: readonly { readonly step: FunnelStep; readonly reached: number; readonly rate: number }[];
};

const MOST_USERS = 1_000_000;

/** Takes valid events with their event times (epoch ms), told in whatever order; `close` ends it. Bounded memory. */
export function createShopReport(): { add(event: EventFields, atMs: number): void; close(): ShopReport } {
  const counts = new Map<EventType, number>();
  const users = new Set<string>();
  const census = new Census();
  let events = 0;
  return {
    add(event, atMs) {
      events += 1;
      if (users.size <= MOST_USERS) users.add(event.user_id);
      counts.set(event.event_type, (counts.get(event.event_type) ?? 0) + 1);
      census.add(event, atMs);
    },
    close() {
      const sessions = census.close();
      const reaching = (nth: number): number => (nth < 0 ? sessions.sessions : (sessions.reached[nth] ?? 0));
      return {
        events,
        users: users.size > MOST_USERS ? null : users.size,
        sessions,
        mix: EVENT_TYPES.map((type) => ({
          type,
          events: counts.get(type) ?? 0,
          share: shareOf(counts.get(type) ?? 0, events),
        })),
        funnel: FUNNEL_STEPS.map((step, nth) => ({
          step,
          reached: reaching(nth),
          rate: shareOf(reaching(nth), reaching(nth - 1)),
        })),
      };
    },
  };
}

/** A part of a whole as a fraction; 0 of nothing. */
export const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
