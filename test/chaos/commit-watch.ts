// Watches the checkpoints from beside the pipeline: when each partition committed, through every outage.
import { setTimeout as wait } from 'node:timers/promises';

import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { openPool } from '../../postgres/pool.ts';

const LOOK_EVERY_MS = 100;

/** Commits it has seen, by partition: PostgreSQL's clock (epoch ms), ascending. Several within one look count as one. */
export class CommitWatch {
  readonly #seen = new Map<number, number[]>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  constructor(url: string, spec: PipelineSpec) {
    this.#watching = this.#watch(url, spec);
  }

  get partitions(): number[] {
    return [...this.#seen.keys()].toSorted((one, other) => one - other);
  }

  /** Commits seen in all partitions together between two moments. */
  count(fromMs: number, toMs = Infinity): number {
    return this.partitions.reduce((sum, partition) => sum + this.#between(partition, fromMs, toMs).length, 0);
  }

  /** First commit of a partition after this moment; null while there is none. */
  firstAfter(partition: number, afterMs: number): number | null {
    return this.#seen.get(partition)?.find((ms) => ms > afterMs) ?? null;
  }

  /** Longest time between two commits of a partition that ended within the span. */
  longestPause(partition: number, fromMs: number, toMs: number): number {
    const commits = this.#seen.get(partition) ?? [];
    let longestMs = 0;
    for (const [index, ms] of commits.entries()) {
      const before = commits[index - 1];
      if (before !== undefined && ms > fromMs && ms <= toMs) longestMs = Math.max(longestMs, ms - before);
    }
    return longestMs;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  #between(partition: number, fromMs: number, toMs: number): number[] {
    return (this.#seen.get(partition) ?? []).filter((ms) => ms > fromMs && ms <= toMs);
  }

  async #watch(url: string, spec: PipelineSpec): Promise<void> {
    const pool = openPool({ url, max: 1, applicationName: 'weir chaos watch' });
    while (!this.#stop.signal.aborted) {
      // PostgreSQL being away is part of what is watched.
      const checkpoints = await readCheckpoints(pool, spec).catch(() => []);
      for (const { partition, committedAtMs, nextOffset, firstOffset } of checkpoints) {
        const commits = this.#seen.get(partition) ?? [];
        this.#seen.set(partition, commits);
        if (nextOffset > firstOffset && commits.at(-1) !== committedAtMs) commits.push(committedAtMs);
      }
      await wait(LOOK_EVERY_MS);
    }
    await pool.end();
  }
}
