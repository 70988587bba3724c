// Weir itself, as `weir bench` runs it: one worker process, driven by workflows on the Temporal server.
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

import { processListeningOn } from '../process-cpu.ts';
import { isIngested } from '../catchup.ts';
import type { BenchPipeline } from '../bench-pipeline.ts';
import { migrate } from '../../postgres/migrate.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { fileHere } from './install.ts';
import { withPostgres } from './postgres.ts';
import type { JobOrder, StartedJob, System } from './system.ts';

/** That of the peers' watermarks. */
const LATENESS_MS = 300_000;
/** No watermark gets so far that anything closes. */
const NOTHING_CLOSES_MS = 86_400_000;
const LIVE_LATENESS_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** Weir over the topic of a bench pipeline; each job has a schema of its own. */
export function weirOver(bench: () => BenchPipeline): System {
  return {
    name: 'weir',
    version: versionHere(),
    rows: (schema) =>
      `select event_id, occurred_at, event_type, user_id, total_amount, xmin from ${quoteSchema(schema)}.events`,
    cannot: (job) => (job === 'results-once' ? 'Weir always de-duplicates: see its job results.' : null),
    install: () => Promise.resolve(),
    start: async (order) => await start(bench(), order),
  };
}

function versionHere(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(fileHere('../../package.json'), 'utf8'));
  return version;
}

async function start(bench: BenchPipeline, order: JobOrder): Promise<StartedJob> {
  const latenessMs = { raw: NOTHING_CLOSES_MS, live: LIVE_LATENESS_MS }[order.job as string] ?? LATENESS_MS;
  // The pipeline of a bench is made for one run; here it begins each job anew, in another schema.
  Object.assign(bench.spec, { schema: order.schema, latenessMs });
  await migrate({ url: order.addresses.postgres.url, schema: order.schema });
  const worker = await bench.startWorker(['ingest', 'windows']);
  const temporalPort = Number(order.addresses.temporal.address.split(':').at(-1));
  return {
    pid: worker.pid,
    beside: { temporal: processListeningOn(temporalPort) },
    applicationName: null,
    settings: { latenessMs },
    begin: async () => await bench.startPipeline(),
    finished: async (signal) => await finished(bench, order, signal),
    deadLetters: async () => {
      const count = `select count(*) from ${quoteSchema(order.schema)}.dead_letters`;
      return await withPostgres(order, async (db) => Number((await db.query<{ count: string }>(count)).rows[0]?.count));
    },
    stop: async () => await bench.stopPipeline(),
  };
}

async function finished(bench: BenchPipeline, { job, schema }: JobOrder, signal: AbortSignal): Promise<void> {
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    while (!(await isSo())) await wait(LOOK_EVERY_MS, undefined, { signal });
  };
  if (job === 'live') return await until(() => Promise.resolve(false));
  const ends = await bench.offsets();
  if (job !== 'raw') await until(async () => await bench.endStream(ends));
  await until(async () => await isIngested(bench, ends));
  if (job === 'raw') return;
  await until(async () => await bench.hasEnded());
  // A late event counts when the results hold it.
  const waiting = `select exists (select from ${quoteSchema(schema)}.late_events where applied_at is null) as waits`;
  await until(async () => !(await bench.pool.query<{ waits: boolean }>(waiting)).rows[0]?.waits);
}
