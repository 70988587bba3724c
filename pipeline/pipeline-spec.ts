// What one pipeline is: the small JSON object that workflows and activities get, so that workers hold no state of their own.

/** Everything that decides what results say. Durations in milliseconds; `retentionMs` null: messages of any age are read. */
export type PipelineSpec = {
  readonly topic: string;
  /** PostgreSQL schema that holds all tables of this pipeline. */
  readonly schema: string;
  readonly latenessMs: number;
  readonly idleAfterMs: number;
  readonly maxFutureMs: number;
  readonly amendHorizonMs: number;
  /** Time that late events are collected before their windows are recomputed. */
  readonly amendIntervalMs: number;
  readonly retentionMs: number | null;
  /** Silence that ends a session, and the length at which one is cut; absent in what an older build started. */
  readonly sessionGapMs?: number;
  readonly sessionMaxMs?: number;
};
