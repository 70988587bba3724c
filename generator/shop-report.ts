// The shop's report: what a run of events amounts to; the mix of types, the sessions, and how the funnel narrows.
import { EVENT_TYPES } from '../pipeline/event.ts';
import type { EventFields, EventType } from '../pipeline/event.ts';

const FUNNEL_STEPS = ['view', 'click', 'cart', 'purchase'] as const;
type FunnelStep = (typeof FUNNEL_STEPS)[number];

/**
 * `mix`: share of each type. `funnel`: for each step the sessions that `reached` it after all those before it, and the `rate` of
 * those among the sessions at the step before; at the first, among all.
 */
type ShopReport = {
  readonly events: number;
  readonly users: number;
  readonly sessions: number;
  readonly mix: ReadonlyMap<EventType, number>;
  readonly funnel: readonly { readonly step: FunnelStep; readonly reached: number; readonly rate: number }[];
};

const STEP_OF: Partial<Record<EventType, number>> = { page_view: 0, item_click: 1, cart_add: 2, purchase: 3 };

/** Takes valid events in the order in which they happened, and reports at any time on those so far. */
export function createShopReport(): { add(event: EventFields): void; report(): ShopReport } {
  const counts = new Map<EventType, number>();
  const users = new Set<string>();
  const steps = new Map<string, number>();
  let events = 0;
  return {
    add(event) {
      events += 1;
      users.add(event.user_id);
      counts.set(event.event_type, (counts.get(event.event_type) ?? 0) + 1);
      const reached = steps.get(event.session_id) ?? 0;
      steps.set(event.session_id, STEP_OF[event.event_type] === reached ? reached + 1 : reached);
    },
    report() {
      const reaching = (least: number): number => [...steps.values()].filter((most) => most >= least).length;
      const funnel = FUNNEL_STEPS.map((step, nth) => {
        const reached = reaching(nth + 1);
        return { step, reached, rate: share(reached, reaching(nth)) };
      });
      return {
        events,
        users: users.size,
        sessions: steps.size,
        mix: new Map(EVENT_TYPES.map((type) => [type, share(counts.get(type) ?? 0, events)])),
        funnel,
      };
    },
  };
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
