// What is known of a running pipeline at one moment, as plain values: all that its health is judged by.

/** A worker that this home started. `starting`: it is on its way and has taken no work yet. */
type LocalWorker = {
  readonly name: string;
  readonly ready: boolean;
  readonly starting: boolean;
  readonly reasons: readonly string[];
};

/** Failures of a workflow in a row. `message`: the last one's sentence. */
type FailureFacts = { readonly count: number; readonly message: string | null };

/** What a partition's workflow says of itself. `leaseAgeMs`: since its newest lease began, by the workflow's clock. */
type PartitionWords = {
  readonly phase: string;
  readonly message: string;
  readonly pausedByPerson: boolean;
  readonly failures: FailureFacts;
  readonly leaseAgeMs: number | null;
};

/** What Temporal knows of a partition. `leased`: a worker holds it now. `says` null: nobody answered. */
export type PartitionWorkflow = {
  readonly running: boolean;
  readonly leased: boolean;
  readonly says: PartitionWords | null;
};

/** What Temporal knows of the workflows of the topic. `says` null: nobody answered. */
export type WorkflowFacts = {
  readonly pipeline: {
    readonly running: boolean;
    readonly says: { readonly phase: string; readonly message: string } | null;
  };
  readonly closer: {
    readonly running: boolean;
    readonly leased: boolean;
    readonly says: {
      readonly phase: string;
      readonly message: string;
      readonly stream: 'open' | 'ending' | 'ended';
      readonly failures: FailureFacts;
    } | null;
  };
  readonly partitions: ReadonlyMap<number, PartitionWorkflow>;
  readonly generators: readonly GeneratorFacts[];
};

/** A generator that runs for this topic. `behindMs`: how late its next message is, null when it sends nothing. */
export type GeneratorFacts = {
  readonly name: string;
  readonly phase: string;
  readonly behindMs: number | null;
  readonly trouble: string | null;
  readonly answered: boolean;
};

/** One partition by its log and its checkpoint. `problem`: the sentence of a range that Kafka has lost. */
export type PartitionFacts = {
  readonly partition: number;
  readonly nextOffset: string | null;
  readonly lag: number;
  readonly idle: boolean;
  readonly problem: string | null;
};

/** What PostgreSQL and Kafka say. Event times are ISO, null before the first event. */
export type DataFacts = {
  readonly partitions: readonly PartitionFacts[];
  readonly lowWatermark: string | null;
  readonly heldBackBy: { readonly partition: number; readonly reason: string } | null;
  readonly writtenThrough: string | null;
  /** Windows, panes or sessions that end before the low watermark are not written. */
  readonly due: boolean;
  readonly closedWindows: number;
  readonly late: {
    readonly waiting: number;
    /** How long the oldest of them has waited; 0 when none waits. */
    readonly oldestMs: number;
    readonly takenIn: number;
    readonly amendIntervalMs: number;
  };
  readonly letters: {
    readonly open: number;
    /** Not in their topic yet. */
    readonly waiting: number;
    readonly problem: string | null;
  };
  /** Offsets of all runs that are neither counted nor accepted as lost; zero by the conservation law. */
  readonly unaccounted: number;
  /** The newest `weir verify` that could find out, and when it ended (epoch ms); null: none did. */
  readonly verified: { readonly clean: boolean; readonly atMs: number } | null;
};

/** Why a server does not do its work. `silent`: it has not answered in time, which one that is merely busy does too. */
export type ServerTrouble = { readonly sentence: string; readonly silent: boolean };

/** `servers`: the trouble of each server that does not do its work, else null. `data`, `workflows` null: could not be asked. */
export type HealthFacts = {
  readonly topic: string;
  readonly servers: {
    readonly kafka: ServerTrouble | null;
    readonly postgres: ServerTrouble | null;
    readonly temporal: ServerTrouble | null;
  };
  readonly localWorkers: readonly LocalWorker[];
  readonly data: DataFacts | null;
  readonly workflows: WorkflowFacts | null;
};
