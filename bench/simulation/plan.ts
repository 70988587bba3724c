// What is simulated: the size of an installation, what happens to it, what things cost, and what is taken for granted.

/** CPU microseconds. Where each comes from is in measured-costs.ts. */
export type Costs = {
  readonly workerPerEvent: number;
  /** A turn is one fetch, parsed, encoded and sent, whatever it holds. */
  readonly workerPerTurn: number;
  readonly postgresPerEvent: number;
  /** Of each batch in a transaction. */
  readonly postgresPerCheckpoint: number;
  /** Whatever it holds. */
  readonly postgresPerTransaction: number;
  readonly brokerPerEvent: number;
  /** By one session of PostgreSQL, which works off a topic's minutes one after another. */
  readonly closePerEvent: number;
};

/** What no file of bench/results says. Milliseconds. */
export type Assumptions = {
  /** From asking the broker to having what it holds, beside the worker's CPU time. */
  readonly fetchMs: number;
  /** From the end of a commit's CPU time to its answer: the log is flushed, the answer travels. */
  readonly flushMs: number;
  /** The clock held alone while `closed_through` moves, once every commit in hand has ended. */
  readonly moveClockMs: number;
};

export const ASSUMPTIONS: Assumptions = { fetchMs: 1, flushMs: 1, moveClockMs: 2 };

/** What the code sets: pipeline/portion.ts, postgres/, workflows/run-options.ts and activities/. Milliseconds and messages. */
export const SETTINGS = {
  mostMessages: 5_000,
  /** A larger batch commits alone; nobody waits for a commit that takes longer. */
  mostSharedEvents: 500,
  mostTogether: 64,
  longCommitMs: 50,
  pollEveryMs: 250,
  leaseMs: 300_000,
  heartbeatEveryMs: 1_000,
  heartbeatTimeoutMs: 10_000,
  backoffFirstMs: 1_000,
  backoffLongestMs: 10_000,
} as const;

/** Seconds. Nothing commits in an outage; a worker that dies loses what it has in hand, and its partitions go to the others. */
export type Plan = {
  /** Events a second, of all topics together. */
  readonly rate: number;
  readonly partitions: number;
  /** Each has a closer and a schema of its own; partitions are spread over them, and they over the shards. */
  readonly topics: number;
  readonly workers: number;
  /** PostgreSQL primaries, each with so many cores of its own. */
  readonly shards: number;
  readonly shardCores: number;
  /** Everything on one machine with so many cores instead; null: every worker has one core of its own. */
  readonly sharedCores: number | null;
  /** On that machine, by part, cores that others take up all the time. */
  readonly background: Readonly<Record<string, number>>;
  /** By how much the busiest and the quietest partition differ from the middle: 0.2 is from 80 to 120 %. */
  readonly skew: number;
  readonly seed: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly latenessSeconds: number;
  /** Shortest time from one commit of a partition that is read to its end to the next; 5 in activities/commit-chain.ts. */
  readonly leastTurnMs: number;
  /** False: each batch in a transaction of its own, as it was before postgres/shared-commits.ts. */
  readonly sharesCommits: boolean;
  /** Messages that lie there at the beginning, made at `rate`; then none comes any more, and it runs until all are closed. */
  readonly history: number | null;
  readonly closes: boolean;
  readonly outage: { readonly at: number; readonly seconds: number } | null;
  readonly workerDiesAt: number | null;
};
