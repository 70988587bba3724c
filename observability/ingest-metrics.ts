// What a worker counts while it ingests. Per micro-batch, never per event; what can be asked for is read when Prometheus asks.
import type { Counts, RejectionCounts } from '../pipeline/checkpoint.ts';
import { REJECTION_REASONS } from '../pipeline/rejection.ts';
import { INGEST_METRICS } from './ingest-metric-list.ts';
import type { Makers, Reading } from './metric-makers.ts';

type PartitionName = { readonly topic: string; readonly partition: number };

/** Why a micro-batch was sent again. */
export const RETRY_CAUSES = ['closed_meanwhile', 'row_refused', 'conflict'] as const;
type RetryCause = (typeof RETRY_CAUSES)[number];

/**
 * Where a lease stands. `unread`: messages. `lagMs`: age of the last committed message, `eventTimeLagMs`: of the highest event
 * time committed; both 0 while nothing is unread, null while that is not known. `watermarkMs`: epoch ms, null before the first event.
 */
export type LeaseStanding = {
  readonly unread: number;
  readonly lagMs: number | null;
  readonly eventTimeLagMs: number | null;
  readonly watermarkMs: number | null;
};

/**
 * One micro-batch that is committed. Durations in seconds; `bytes` and `rows` as they went to PostgreSQL.
 * `eventTimeToCommit`: since its newest event happened; `produceToCommit`: since its oldest record was written to Kafka; null of none.
 */
type CommittedBatch = PartitionName & {
  readonly counts: Counts;
  readonly rejectedByReason: RejectionCounts;
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: {
    readonly fetch: number;
    readonly parse: number;
    readonly encode: number;
    readonly commit: number;
    readonly eventTimeToCommit: number | null;
    readonly produceToCommit: number | null;
  };
};

/** For `consumePartition`. */
export type IngestMetrics = {
  /**
   * A lease begins: every counter of the partition exists from here on, at 0. `standing` is asked when Prometheus asks, null:
   * not known yet. The function that comes back ends it: then what it read vanishes, since another worker may own the partition now.
   */
  leaseBegan(of: PartitionName, standing: () => LeaseStanding | null): () => void;
  batchCommitted(batch: CommittedBatch): void;
  batchStaged(of: PartitionName): void;
  batchRetried(of: PartitionName & { cause: RetryCause }): void;
  fenced(of: PartitionName): void;
};

/** `nowMs`: the wall clock. */
export function ingestMetrics(make: Makers, nowMs: () => number): IngestMetrics {
  const leases = leaseReadings(make, nowMs);
  const counters = {
    recorded: make.counter(INGEST_METRICS.recorded),
    duplicate: make.counter(INGEST_METRICS.duplicate),
    late: make.counter(INGEST_METRICS.late),
    skipped: make.counter(INGEST_METRICS.skipped),
    batches: make.counter(INGEST_METRICS.batches),
    staged: make.counter(INGEST_METRICS.staged),
    fenced: make.counter(INGEST_METRICS.fenced),
  };
  const rejected = make.counter(INGEST_METRICS.rejected);
  const retried = make.counter(INGEST_METRICS.retried);
  const histograms = batchHistograms(make);
  return {
    leaseBegan(of, standing) {
      const at = labels(of);
      for (const each of Object.values(counters)) each.inc(at, 0);
      for (const reason of REJECTION_REASONS) rejected.inc({ ...at, reason }, 0);
      for (const cause of RETRY_CAUSES) retried.inc({ ...at, cause }, 0);
      histograms.begin(of);
      return leases.begin(of, standing);
    },
    batchCommitted(batch) {
      const at = labels(batch);
      for (const what of ['recorded', 'duplicate', 'late', 'skipped'] as const) {
        counters[what].inc(at, batch.counts[what]);
      }
      for (const reason of REJECTION_REASONS) {
        const messages = batch.rejectedByReason[reason];
        if (messages) rejected.inc({ ...at, reason }, messages);
      }
      counters.batches.inc(at);
      histograms.observe(at, batch);
    },
    batchStaged: (of) => counters.staged.inc(labels(of)),
    batchRetried: (of) => retried.inc({ ...labels(of), cause: of.cause }),
    fenced: (of) => counters.fenced.inc(labels(of)),
  };
}

type PartitionLabels = { readonly topic: string; readonly partition: string };

const labels = ({ topic, partition }: PartitionName): PartitionLabels => ({ topic, partition: String(partition) });
const key = (of: PartitionName): string => `${of.partition}/${of.topic}`;
const inSeconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

const STAGES = ['fetch', 'parse', 'encode', 'commit', 'eventTimeToCommit', 'produceToCommit'] as const;

function batchHistograms(make: Makers) {
  const rows = make.histogram(INGEST_METRICS.batchRows);
  const bytes = make.histogram(INGEST_METRICS.batchBytes);
  const seconds = {
    fetch: make.histogram(INGEST_METRICS.fetchSeconds),
    parse: make.histogram(INGEST_METRICS.parseSeconds),
    encode: make.histogram(INGEST_METRICS.encodeSeconds),
    commit: make.histogram(INGEST_METRICS.commitSeconds),
    eventTimeToCommit: make.histogram(INGEST_METRICS.eventTimeToCommit),
    produceToCommit: make.histogram(INGEST_METRICS.produceToCommit),
  };
  const begun = new Set<string>();
  return {
    begin(of: PartitionName): void {
      // `zero` also empties: a partition that comes back goes on counting.
      if (begun.has(key(of))) return;
      begun.add(key(of));
      for (const each of [rows, bytes, ...Object.values(seconds)]) each.zero(labels(of));
    },
    observe(at: PartitionLabels, batch: CommittedBatch): void {
      rows.observe(at, batch.rows);
      bytes.observe(at, batch.bytes);
      for (const stage of STAGES) {
        const took = batch.seconds[stage];
        if (took !== null) seconds[stage].observe(at, took);
      }
    },
  };
}

type Lease = { readonly standing: () => LeaseStanding | null };

/** The leases of this process. Two of a partition may overlap: it can come back before its old lease here has ended. */
class Leases {
  readonly #partitions = new Map<string, { readonly at: PartitionLabels; readonly leases: Lease[] }>();

  begin(of: PartitionName, standing: Lease['standing']): () => void {
    const partition = this.#partitions.get(key(of)) ?? { at: labels(of), leases: [] };
    this.#partitions.set(key(of), partition);
    const lease = { standing };
    partition.leases.push(lease);
    return () => {
      const index = partition.leases.indexOf(lease);
      if (index >= 0) partition.leases.splice(index, 1);
    };
  }

  /** Of every partition that was ever leased here. */
  held(): Reading[] {
    return [...this.#partitions.values()].map(({ at, leases }) => [at, Number(leases.length > 0)]);
  }

  /** Of the partitions that are leased now: what the newest lease says. */
  standing(value: (standing: LeaseStanding) => number | null): Reading[] {
    return [...this.#partitions.values()].map(({ at, leases }) => {
      const standing = leases.at(-1)?.standing() ?? null;
      return [at, standing === null ? null : value(standing)];
    });
  }
}

function leaseReadings(make: Makers, nowMs: () => number): Leases {
  const leases = new Leases();
  make.reading(INGEST_METRICS.leaseHeld, () => leases.held());
  make.reading(INGEST_METRICS.lagOffsets, () => leases.standing(({ unread }) => unread));
  make.reading(INGEST_METRICS.lagSeconds, () => leases.standing(({ lagMs }) => inSeconds(lagMs)));
  make.reading(INGEST_METRICS.eventTimeLag, () => leases.standing(({ eventTimeLagMs }) => inSeconds(eventTimeLagMs)));
  make.reading(INGEST_METRICS.watermarkAge, () =>
    leases.standing(({ watermarkMs }) => (watermarkMs === null ? null : inSeconds(nowMs() - watermarkMs))),
  );
  return leases;
}
