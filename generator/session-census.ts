// A census of sessions: how many there were, how long, and how far each came, in bounded memory.
import type { EventFields, EventType } from '../pipeline/event.ts';
import { Tally } from './tally.ts';
import type { Range } from './tally.ts';

export const FUNNEL_STEPS = ['view', 'click', 'cart', 'purchase'] as const;
export type FunnelStep = (typeof FUNNEL_STEPS)[number];

/** `reached`: how many came to each step of the funnel, in order inside the session. Durations in ms. */
export type SessionCensus = {
  readonly sessions: number;
  readonly reached: readonly number[];
  readonly byEvents: readonly Range[];
  readonly meanEvents: number;
  readonly mostEvents: number;
  readonly byDurationMs: readonly Range[];
  readonly meanDurationMs: number;
};

const STEP_OF: Partial<Record<EventType, number>> = { page_view: 0, item_click: 1, cart_add: 2, purchase: 3 };
const EVENTS_FROM = [1, 2, 4, 8, 16, 32];
const DURATION_FROM_MS = [0, 1_000, 10_000, 60_000, 300_000, 1_800_000];
/** Of two generations of sessions that go on: when the young one is full, those of the old one are counted as they are. */
const PER_GENERATION = 50_000;
/** Nobody goes so many steps of the funnel: a file where somebody does may not fill the memory. */
const MOST_STEPS = 1_000;

type Open = { events: number; firstMs: number; lastMs: number; readonly steps: { atMs: number; step: number }[] };

/** Counts sessions from their events, in whatever order those are told. */
export class Census {
  /** Sessions that had an event since the old generation was the young one, and those that had none since. */
  #young = new Map<string, Open>();
  #old = new Map<string, Open>();
  readonly #reached = FUNNEL_STEPS.map(() => 0);
  readonly #events = new Tally(EVENTS_FROM);
  readonly #durations = new Tally(DURATION_FROM_MS);
  #sessions = 0;

  add({ session_id: id, event_type: type }: EventFields, atMs: number): void {
    const session = this.#sessionOf(id, atMs);
    session.events += 1;
    session.firstMs = Math.min(session.firstMs, atMs);
    session.lastMs = Math.max(session.lastMs, atMs);
    const step = STEP_OF[type];
    if (step !== undefined && session.steps.length < MOST_STEPS) session.steps.push({ atMs, step });
  }

  /** Counts the sessions that still go on as they are, and with them ends. */
  close(): SessionCensus {
    for (const session of this.#old.values()) this.#count(session);
    for (const session of this.#young.values()) this.#count(session);
    this.#old.clear();
    this.#young.clear();
    return {
      sessions: this.#sessions,
      reached: [...this.#reached],
      byEvents: this.#events.ranges(),
      meanEvents: this.#events.mean,
      mostEvents: this.#events.most,
      byDurationMs: this.#durations.ranges(),
      meanDurationMs: this.#durations.mean,
    };
  }

  #sessionOf(id: string, atMs: number): Open {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    if (old !== undefined) this.#old.delete(id);
    else if (this.#young.size >= PER_GENERATION) {
      for (const session of this.#old.values()) this.#count(session);
      this.#old = this.#young;
      this.#young = new Map();
    }
    const session = old ?? { events: 0, firstMs: atMs, lastMs: atMs, steps: [] };
    this.#young.set(id, session);
    return session;
  }

  #count({ events, firstMs, lastMs, steps }: Open): void {
    this.#sessions += 1;
    this.#events.add(events);
    this.#durations.add(lastMs - firstMs);
    const reached = stepsInOrder(steps);
    for (let step = 0; step < reached; step++) this.#reached[step] = (this.#reached[step] ?? 0) + 1;
  }
}

/** How many steps of the funnel were gone one after the other, by when they happened. */
function stepsInOrder(steps: { atMs: number; step: number }[]): number {
  let next = 0;
  for (const { step } of steps.toSorted((one, other) => one.atMs - other.atMs)) if (step === next) next += 1;
  return next;
}
