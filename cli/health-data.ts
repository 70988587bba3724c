// What PostgreSQL and Kafka say of a topic, for `weir health`: the same reading as `weir status`, and what only health asks.
import type { DataFacts } from '../pipeline/health-facts.ts';
import { unaccountedOffsets } from '../pipeline/checkpoint.ts';
import type { Settings } from '../pipeline/settings.ts';
import { readRuns } from '../postgres/checkpoint-runs.ts';
import { hasClosableWindows } from '../postgres/closed-windows.ts';
import { oldestLateWaitMs } from '../postgres/late-events.ts';
import { refuseRestored } from '../postgres/restored-schema.ts';
import { withSessionRules } from '../postgres/session-rules.ts';
import { readLastVerification } from '../postgres/verifications.ts';
import type { StatusReader } from './status-report.ts';

/** `settings`: with the rules of the running pipeline. Throws what its servers throw; RestoredSchemaError when it is no pipeline's. */
export async function readData(reader: StatusReader, settings: Settings): Promise<DataFacts> {
  const { pool } = reader;
  await refuseRestored(pool, settings.schema);
  const report = await reader.read();
  const rules = await withSessionRules(pool, settings);
  const [due, oldestMs, runs, verified] = await Promise.all([
    hasClosableWindows(pool, rules, {
      writtenThroughMs: epochMs(report.writtenThrough),
      lowWatermarkMs: epochMs(report.lowWatermark),
    }),
    oldestLateWaitMs(pool, settings),
    readRuns(pool, settings),
    readLastVerification(pool, settings),
  ]);
  const { late, lateWaiting, lateLeftOut, windows } = report.totals;
  return {
    partitions: report.partitions,
    lowWatermark: report.lowWatermark,
    heldBackBy: report.heldBackBy,
    writtenThrough: report.writtenThrough,
    due,
    closedWindows: windows,
    late: {
      waiting: lateWaiting,
      oldestMs,
      takenIn: late - lateWaiting - lateLeftOut,
      amendIntervalMs: settings.amendIntervalMs,
    },
    letters: {
      open: report.letters.open,
      waiting: report.publication.waiting,
      problem: report.publication.problem,
    },
    unaccounted: runs.reduce((sum, run) => sum + Math.abs(unaccountedOffsets(run) - run.acceptedGaps), 0),
    verified,
  };
}

const epochMs = (iso: string | null): number | null => (iso === null ? null : Date.parse(iso));
