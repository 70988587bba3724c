// The identities of a partition's latest events: catches nearly all duplicates before PostgreSQL has to.
import type { Event } from './event.ts';

const LARGEST_EXACT_MS = Number.MAX_SAFE_INTEGER / 1000 - 1;

/**
 * Remembers the newest `capacity` to `2 * capacity` identities in two generations. It trusts the chain of commits: once a
 * commit has failed or its outcome is unknown, throw it away, or a batch that is read again takes itself for duplicates.
 */
export class RecentIdentities {
  readonly #capacity: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  constructor(capacity = 50_000) {
    this.#capacity = capacity;
  }

  /** True when the event is new here, which it is from then on no longer. Both parts of the identity count. */
  add({ eventId, occurredAtMs, occurredAtUs }: Event): boolean {
    // Years beyond 2255 have no exact number of microseconds: those events are left to the primary key.
    if (Math.abs(occurredAtMs) > LARGEST_EXACT_MS) return true;
    const occurredAt = occurredAtMs * 1000 + occurredAtUs;
    if (this.#young.get(eventId) === occurredAt || this.#old.get(eventId) === occurredAt) return false;
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(eventId, occurredAt);
    return true;
  }
}
