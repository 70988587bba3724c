// The whole verification: one snapshot of PostgreSQL for counts and results, then the topic read again, id by id.
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { differencesOf } from '../pipeline/check.ts';
import type { Check, Verification } from '../pipeline/check.ts';
import { checkPartitions } from '../pipeline/check-partitions.ts';
import type { Found, PartitionRows } from '../pipeline/check-partitions.ts';
import { readRanges } from '../pipeline/partition-run.ts';
import type { PartitionRun } from '../pipeline/partition-run.ts';
import { FUNNELS } from '../pipeline/funnel.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { readRuns } from '../postgres/checkpoint-runs.ts';
import { readClock } from '../postgres/closed-through.ts';
import type { Clock } from '../postgres/closed-through.ts';
import { openPool, withTransaction } from '../postgres/pool.ts';
import { refuseRestored } from '../postgres/restored-schema.ts';
import { compareIdentities, compareTopicCounts, countBeyondRecount } from '../postgres/verify-identities.ts';
import { countLateLeftOut, countPartitionRows } from '../postgres/verify-partitions.ts';
import type { LateLeftOut } from '../postgres/verify-partitions.ts';
import { RecountTables } from '../postgres/verify-recount.ts';
import { checkResults } from '../postgres/verify-results.ts';
import { checkSessions } from '../postgres/verify-sessions.ts';
import { readSessionRules } from '../postgres/session-rules.ts';
import { RECOUNTED_SESSIONS } from '../postgres/verify-sessions-sql.ts';
import { recountTopic } from './verify-topic.ts';

/** Memory of one sort or hash; the cores stay ingestion's; compiling takes longer than what it would save here. */
const SESSION = `set local work_mem = '96MB'; set local statement_timeout = 0; set local jit = off;
  set local max_parallel_workers_per_gather = 0`;

/** `done` and `of` are null where the length is not known. */
export type VerifyProgress = { readonly step: string; readonly done: number | null; readonly of: number | null };

export type VerifyInput = {
  readonly brokers: readonly string[];
  readonly postgresUrl: string;
  readonly spec: PipelineSpec;
  readonly onProgress?: (progress: VerifyProgress) => void;
};

type Snapshot = {
  readonly runs: readonly PartitionRun[];
  readonly rows: readonly PartitionRows[];
  readonly results: readonly Check[];
  readonly acceptedGaps: number;
  readonly clock: Clock;
  readonly late: LateLeftOut;
};

/**
 * Verifies a pipeline, also while it ingests: what commits after the snapshot is not looked at. Changes nothing; its own
 * tables are temporary. Throws when a server cannot be reached or the schema holds no pipeline of this topic.
 */
export async function verifyPipeline(input: VerifyInput): Promise<Verification> {
  const { postgresUrl, spec } = input;
  const pool = openPool({ url: postgresUrl, max: 2, applicationName: 'weir verify' });
  try {
    const snapshot = await withTransaction(pool, { isolation: 'repeatable read' }, (client) =>
      checkSnapshot(client, input),
    );
    const topic = await checkTopic(input, snapshot.runs);
    const { clock, late, runs, rows, results } = snapshot;
    const partitions = checkPartitions(runs, rows, topic.found);
    const checks = [...partitions.checks, ...results, ...topic.checks];
    const differences = differencesOf(checks);
    return {
      topic: spec.topic,
      schema: spec.schema,
      takenAt: new Date(clock.nowMs).toISOString(),
      clean: differences === 0,
      differences,
      checks,
      coverage: {
        recountedMessages: topic.messages,
        beyondRecount: topic.beyondRecount,
        acceptedGaps: snapshot.acceptedGaps,
        unstorable: topic.unstorable,
        refusedByOlder: topic.refusedByOlder,
        countedTwice: partitions.countedTwice,
        lateWaiting: late.waiting,
        lateBeyondHorizon: late.beyondHorizon,
        resultsThrough: clock.writtenThroughMs === null ? null : new Date(clock.writtenThroughMs).toISOString(),
      },
    };
  } finally {
    await pool.end();
  }
}

async function checkSnapshot(client: pg.PoolClient, { spec, onProgress }: VerifyInput): Promise<Snapshot> {
  await client.query(`${RECOUNTED_SESSIONS}; set transaction read only; ${SESSION}`);
  onProgress?.({ step: 'counts', done: null, of: null });
  await refuseRestored(client, spec.schema);
  const runs = await readRuns(client, spec);
  if (runs.length === 0) {
    throw new Error(
      `Schema ${spec.schema} has no checkpoint of topic ${spec.topic}: nothing was ingested yet; run "weir up" or check WEIR_SCHEMA and WEIR_TOPIC.`,
    );
  }
  const rows = await countPartitionRows(client, spec);
  const clock = await readClock(client, spec);
  const late = await countLateLeftOut(client, spec.schema);
  const results: Check[] = [];
  for (const aggregate of AGGREGATES) {
    const onEventTime = (done: number, of: number): void => onProgress?.({ step: aggregate.name, done, of });
    const input = { aggregate, throughMs: clock.panesThroughMs, onProgress: onEventTime };
    results.push(...(await checkResults(client, spec.schema, input)));
  }
  const sessions = await checkSessions(client, spec.schema, {
    rules: await readSessionRules(client, spec),
    funnels: FUNNELS,
    clock,
    events: rows.reduce((sum, { events }) => sum + events, 0),
    onProgress: (step, done, of) => onProgress?.({ step, done, of }),
  });
  return {
    runs,
    rows,
    results: [...results, ...sessions],
    clock,
    late,
    acceptedGaps: runs.reduce((sum, { acceptedGaps }) => sum + acceptedGaps, 0),
  };
}

type TopicResult = {
  readonly checks: readonly Check[];
  readonly found: Found;
  readonly messages: number;
  readonly unstorable: number;
  readonly refusedByOlder: number;
  readonly beyondRecount: number;
};

async function checkTopic(input: VerifyInput, runs: readonly PartitionRun[]): Promise<TopicResult> {
  const { brokers, postgresUrl, spec, onProgress } = input;
  const tables = await RecountTables.open({ url: postgresUrl, schema: spec.schema });
  try {
    const onMessages = (done: number, of: number): void => onProgress?.({ step: 'topic', done, of });
    const { check, whole, ...recounted } = await recountTopic({
      brokers,
      spec,
      ranges: readRanges(runs),
      tables,
      onProgress: onMessages,
    });
    const onCheck = (step: string): void => onProgress?.({ step, done: null, of: null });
    const identities = await compareIdentities(tables.client, spec.schema, onCheck);
    const counts = await compareTopicCounts(tables.client, spec.schema, runs);
    const beyondRecount = await countBeyondRecount(tables.client, spec.schema);
    const allFound = (name: string): ReadonlySet<number> =>
      identities.some((one) => one.name === name && one.differences > 0) ? new Set() : whole;
    const found = { events: allFound('missing events'), letters: allFound('missing dead letters') };
    return { checks: [check, ...identities, ...counts], found, beyondRecount, ...recounted };
  } finally {
    await tables.close();
  }
}
