// How old the oldest unread message is: the lag in time that people feel, looked up in the log itself.
import { openPartitionReader } from '../kafka/partition-reader.ts';
import type { PartitionReader } from '../kafka/partition-reader.ts';

/** One message is enough; a broker still returns at least one whole batch. */
const ENOUGH_BYTES = 1_024;
const PATIENCE_MS = 1_000;

/** Keeps one small reader for each partition that was ever behind. */
export class OldestUnread {
  readonly #brokers: string[];
  readonly #topic: string;
  readonly #readers = new Map<number, Promise<PartitionReader>>();

  constructor(brokers: string[], topic: string) {
    this.#brokers = brokers;
    this.#topic = topic;
  }

  /** Seconds since the oldest of these messages was written; 0 when there are none, null when none could be read in time. */
  async ageSeconds(unread: readonly { partition: number; nextOffset: number }[]): Promise<number | null> {
    if (unread.length === 0) return 0;
    const found = await Promise.all(unread.map(async (of) => await this.#timestampMs(of)));
    const known = found.filter((ms) => ms !== null);
    return known.length === 0 ? null : Math.max(0, (Date.now() - Math.min(...known)) / 1000);
  }

  async close(): Promise<void> {
    const readers = await Promise.allSettled(this.#readers.values());
    await Promise.all(readers.map(async (each) => await (each.status === 'fulfilled' ? each.value.close() : null)));
  }

  async #timestampMs({ partition, nextOffset }: { partition: number; nextOffset: number }): Promise<number | null> {
    const nobody = new Promise<null>((resolve) => {
      setTimeout(resolve, PATIENCE_MS, null).unref();
    });
    return await Promise.race([this.#read(partition, nextOffset).catch(() => this.#forget(partition)), nobody]);
  }

  async #read(partition: number, nextOffset: number): Promise<number | null> {
    const known = this.#readers.get(partition);
    const opening =
      known ??
      openPartitionReader({
        brokers: this.#brokers,
        topic: this.#topic,
        partition,
        fromOffset: nextOffset,
        maxBytes: ENOUGH_BYTES,
        maxWaitMs: PATIENCE_MS / 2,
      });
    if (!known) this.#readers.set(partition, opening);
    const reader = await opening;
    if (known) reader.seek(nextOffset);
    return (await reader.next()).messages[0]?.timestampMs ?? null;
  }

  #forget(partition: number): null {
    this.#readers.delete(partition);
    return null;
  }
}
