// The bounded run: what the topic holds now is all there is; it is taken in, every window closes, and the run ends.
import { createLogUpdate } from 'log-update';

import { partitionOffsets } from '../kafka/topics.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { WindowsState } from '../workflows/commands.ts';
import type { Plan, Running } from './bring-up.ts';
import { CliFailure } from './failure.ts';
import { waitMs } from '../workers/interrupts.ts';
import { grouped, plural, printJson, printLine, tableOf } from './output.ts';
import { openStatusReader } from './status-report.ts';
import type { StatusReader, StatusReport } from './status-report.ts';
import { plainLine } from './status-text.ts';
import { pipelineTarget, windowsTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';

const LOOK_EVERY_MS = 500;
const LINE_EVERY_MS = 5_000;
const CLOSER_WITHIN_MS = 60_000;

type Ends = ReadonlyMap<number, number>;

/** Runs until every checkpoint has reached the end of its partition as of now and every window is closed, then sums up. */
export async function runBounded(running: Running, plan: Plan & { readonly json: boolean }): Promise<void> {
  const { settings, addresses, control } = running;
  const startedAtMs = performance.now();
  const offsets = await partitionOffsets({ brokers: addresses.kafka.brokers, topic: settings.topic });
  const ends: Ends = new Map(offsets.map(({ partition, endOffset }) => [partition, endOffset]));
  const reader = await openStatusReader(settings);
  try {
    const before = await reader.read();
    plan.report(`Taking in what topic ${settings.topic} holds now: ${plural(unread(before, ends), 'message')} unread`);
    await endStream(control, { topic: settings.topic, ends, signal: plan.signal });
    const report = await untilEnded({ control, reader, ends, plan });
    if (report === null) return;
    const seconds = (performance.now() - startedAtMs) / 1000;
    if (running.pipelineWas === 'started')
      await control.update(pipelineTarget(settings.topic), 'stop', { withinMs: 60_000 });
    summarize({ before, report, seconds, json: plan.json });
  } finally {
    await reader.close();
  }
}

async function endStream(
  control: Control,
  { topic, ends, signal }: { topic: string; ends: Ends; signal: AbortSignal },
): Promise<void> {
  const endOffsets = Object.fromEntries(
    [...ends].map(([partition, offset]) => [String(partition), formatOffset(offset)]),
  );
  const deadline = performance.now() + CLOSER_WITHIN_MS;
  while (!signal.aborted) {
    try {
      await control.update<WindowsState>(windowsTarget(topic), 'endStream', { args: [{ endOffsets }] });
      return;
    } catch (thrown) {
      // The pipeline starts its closer after a first look at the topic.
      if (performance.now() > deadline) throw thrown;
      await waitMs(LOOK_EVERY_MS, signal);
    }
  }
}

type Watch = { readonly control: Control; readonly reader: StatusReader; readonly ends: Ends; readonly plan: Plan };

/** The status in which everything is done; null when the signal came first. */
async function untilEnded({ control, reader, ends, plan }: Watch): Promise<StatusReport | null> {
  const draw = process.stdout.isTTY ? createLogUpdate(process.stderr) : null;
  let saidAtMs = 0;
  try {
    while (!plan.signal.aborted) {
      const report = await reader.read();
      const lost = report.partitions.find(({ problem }) => problem !== null);
      if (lost?.problem) throw new CliFailure(lost.problem, { exitCode: 1 });
      if (unread(report, ends) === 0 && report.totals.lateWaiting === 0 && (await hasEnded(control, report.topic))) {
        return await reader.read();
      }
      const line = `${plainLine(report)}, ${grouped(unread(report, ends))} to go`;
      if (draw) draw(line);
      else if (performance.now() - saidAtMs > LINE_EVERY_MS) {
        saidAtMs = performance.now();
        plan.report(line);
      }
      await waitMs(LOOK_EVERY_MS, plan.signal);
    }
    return null;
  } finally {
    draw?.clear();
  }
}

async function hasEnded(control: Control, topic: string): Promise<boolean> {
  try {
    return (await control.state<WindowsState>(windowsTarget(topic))).stream === 'ended';
  } catch {
    // A worker that is being restarted answers later.
    return false;
  }
}

/** Messages before the ends that are not committed yet. */
function unread({ partitions }: StatusReport, ends: Ends): number {
  return partitions.reduce((sum, of) => {
    const position = Number(of.nextOffset ?? of.logStartOffset);
    return sum + Math.max(0, (ends.get(of.partition) ?? 0) - position);
  }, 0);
}

type Outcome = {
  readonly before: StatusReport;
  readonly report: StatusReport;
  readonly seconds: number;
  readonly json: boolean;
};

function summarize({ before, report, seconds, json }: Outcome): void {
  const counts = ['recorded', 'duplicate', 'late', 'rejected', 'skipped'] as const;
  const rows = counts.map((name) => [name, report.totals[name] - before.totals[name], report.totals[name]] as const);
  const windows = Object.entries(report.windows).map(
    ([name, total]) => [name, total - (before.windows[name] ?? 0), total] as const,
  );
  const sessions = report.sessions.closed - before.sessions.closed;
  const recorded = report.totals.recorded - before.totals.recorded;
  const eventsPerSecond = Math.round(recorded / seconds);
  if (json) {
    printJson({
      topic: report.topic,
      schema: report.schema,
      seconds: Math.round(seconds * 1000) / 1000,
      eventsPerSecond,
      ...Object.fromEntries(rows.map(([name, now]) => [name, now])),
      windows: Object.fromEntries(windows.map(([name, now]) => [name, now])),
      sessions,
      totals: report.totals,
      closedThrough: report.closedThrough,
      writtenThrough: report.writtenThrough,
    });
    return;
  }
  printLine(
    tableOf(
      ['messages', 'this run', 'in all'],
      rows.map(([name, now, all]) => [name, grouped(now), grouped(all)]),
    ),
  );
  printLine();
  printLine(
    tableOf(
      ['windows', 'this run', 'in all'],
      windows.map(([name, now, all]) => [name, grouped(now), grouped(all)]),
    ),
  );
  const open = report.sessions.open === 0 ? '' : `, ${grouped(report.sessions.open)} open`;
  printLine(`\n${plural(sessions, 'session')} closed, ${grouped(report.sessions.closed)} in all${open}.`);
  printLine(`${seconds.toFixed(1)} s, ${grouped(eventsPerSecond)} events/s; every window is closed.`);
}
