// Fair share: how many leases a worker should hold while other workers are there to hold the rest.

/** A worker that asks a task queue for work, and when it last did, by the clock of the server that was asked. */
export type Poller = { readonly identity: string; readonly lastAskedMs: number };

export type ShareView = {
  /** The worker that wants to know. */
  readonly identity: string;
  readonly pollers: readonly Poller[];
  /** Partitions of all pipelines whose leases come through the task queue. */
  readonly partitions: number;
  /** When the youngest lease was offered that came here because its worker was gone, by the same clock; null: never. */
  readonly lastTakeoverMs: number | null;
};

export type Held = { readonly topic: string; readonly partition: number; readonly begunMs: number };

/** A live worker with nothing to do asks once a minute. */
const SILENT_AFTER_MS = 70_000;

/**
 * The workers that are certainly alive: this one, and those that have asked for work lately and since this one last took over
 * the lease of a lost worker. A dead worker is listed for minutes, but its leases come to others only after it last asked. All times are of one
 * clock, so that a worker whose own clock is wrong counts right.
 */
export function liveWorkers({ identity, pollers, lastTakeoverMs }: Omit<ShareView, 'partitions'>): number {
  const newestMs = Math.max(...pollers.map(({ lastAskedMs }) => lastAskedMs));
  const others = pollers.filter(
    (poller) =>
      poller.identity !== identity &&
      poller.lastAskedMs > newestMs - SILENT_AFTER_MS &&
      poller.lastAskedMs > (lastTakeoverMs ?? -Infinity),
  );
  return 1 + new Set(others.map((other) => other.identity)).size;
}

/** The most leases that this worker should hold: its part, rounded up. Infinity when it is alone. */
export function fairShare(view: ShareView): number {
  const workers = liveWorkers(view);
  return workers === 1 ? Infinity : Math.max(1, Math.ceil(view.partitions / workers));
}

/** The lease to give back: the oldest, since it would end next anyway; null while the share is not exceeded. */
export function leaseToYield<Lease extends Held>(held: readonly Lease[], share: number): Lease | null {
  if (held.length <= share) return null;
  return held.reduce((oldest, lease) => (lease.begunMs < oldest.begunMs ? lease : oldest));
}
