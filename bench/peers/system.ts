// What the comparison asks of a system: to be installed, to start, to begin a job when told, and to say when it is done.
import type { StackAddresses } from '../../local/stack.ts';

export const SYSTEMS = ['weir', 'flink', 'spark', 'connect'] as const;
export type SystemName = (typeof SYSTEMS)[number];

/**
 * `raw`: every event as a row, de-duplicated as the system can. `results`: rows and the five results; a peer does it without
 * de-duplication, which is the cheaper way. `results-once`: the same with it. `live`: rows of a steady stream.
 */
export const JOBS = ['raw', 'results', 'results-once', 'live'] as const;
export type JobName = (typeof JOBS)[number];

export type Install = { readonly report: (line: string) => void; readonly signal: AbortSignal };

export type JobOrder = {
  readonly job: JobName;
  readonly addresses: StackAddresses;
  readonly topic: string;
  /** Made by the caller, empty; what a system stores lies in it. */
  readonly schema: string;
  /** Different events in the topic; null: nobody knows yet. */
  readonly events: number | null;
  readonly cores: number;
  /** MiB of a JVM's heap; null: what suits the system. */
  readonly heapMiB: number | null;
  /** Empty, and deleted afterwards. */
  readonly scratch: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
};

/** A started system that does nothing yet. */
export type StartedJob = {
  /** Its processes: this one and all below it. */
  readonly pid: number;
  /** Processes that it needs besides, by name; null where they run elsewhere. */
  readonly beside: Readonly<Record<string, number | null>>;
  /** Name of its sessions in PostgreSQL: its last statement ends the time. null: the time ends when `finished` resolves. */
  readonly applicationName: string | null;
  /** What was set, for the printed line. */
  readonly settings: Readonly<Record<string, string | number>>;
  begin(): Promise<void>;
  /** Resolves when nothing is left to do; never for `live`. Rejects with a sentence when the system failed, or as the signal says. */
  finished(signal: AbortSignal): Promise<void>;
  /** Messages that it put aside because they were no events; null: it keeps none. */
  deadLetters(): Promise<number | null>;
  /** Ends its processes and removes what it made outside the schema. Never throws for a system that has ended. */
  stop(): Promise<void>;
};

export type System = {
  readonly name: SystemName;
  readonly version: string;
  /** Columns of a row of an event, as SELECT over `schema`: event_id, occurred_at, event_type, user_id, total_amount. */
  rows(schema: string): string;
  /** Why it cannot do a job, as a sentence; null: it can. */
  cannot(job: JobName): string | null;
  install(install: Install): Promise<void>;
  start(order: JobOrder): Promise<StartedJob>;
};
