// `weir windows --why`: the story of single windows, from PostgreSQL, Kafka and the workflows together.
import type pg from 'pg';

import type { Aggregate } from '../pipeline/aggregates.ts';
import { sessionRulesOf } from '../pipeline/session.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { Settings } from '../pipeline/settings.ts';
import { whyOpen } from '../pipeline/why-open.ts';
import type { EventTimeFacts, WhyOpen } from '../pipeline/why-open.ts';
import type { Span } from '../pipeline/window.ts';
import { readClock } from '../postgres/closed-through.ts';
import { withSessionRules } from '../postgres/session-rules.ts';
import { readWindowHistory } from '../postgres/window-history.ts';
import type { WindowHistory } from '../postgres/window-history.ts';
import { lastWindowEnd } from '../postgres/windows.ts';
import { isWaiting, readExplainedFunnel, whyFunnelWaits } from './funnel-window-why.ts';
import type { ExplainedFunnel } from './funnel-window-why.ts';
import { printJson, printLine } from './output.ts';
import { openStatusReader } from './status-report.ts';
import type { StatusReport } from './status-report.ts';
import { windowJson, windowLines } from './window-text.ts';
import { askWorkflows } from './workflow-troubles.ts';
import type { WorkflowTroubles } from './workflow-troubles.ts';
import { withPool } from './with-servers.ts';

/** One window of one aggregate. `why` is empty unless it waits for something. `counts`: what its history counts. */
export type ExplainedWindow = {
  readonly aggregate: string;
  readonly counts: 'event' | 'session';
  readonly span: Span;
  readonly state: 'closed' | 'empty' | 'open';
  readonly history: WindowHistory;
  readonly why: readonly WhyOpen[];
};

/** `funnel`: the window of the funnels too. */
type Asked = {
  readonly atMs: number;
  readonly aggregates: readonly Aggregate[];
  readonly funnel: boolean;
  readonly json: boolean;
};

/** Prints what there is to say of the window of each aggregate that starts at `atMs`, or last before it. */
export async function explainWindows(settings: Settings, { json, ...asked }: Asked): Promise<void> {
  const { windows, funnels } = await withPool(settings, async (pool) => await readWindows(pool, settings, asked));
  // Only what waits needs a look at Kafka and the workflows.
  const waits = windows.some(({ state }) => state === 'open') || funnels.some(isWaiting);
  const now = waits ? await readEventTime(settings) : null;
  const explained = [
    ...windows.map((window) =>
      Object.assign(window, { why: now && window.state === 'open' ? whyOpen(window.span.endMs, now.facts) : [] }),
    ),
    ...funnels.map((window) => Object.assign(window, { why: now ? whyFunnelWaits(window, now) : [] })),
  ];
  if (json) printJson({ windows: explained.map(windowJson) });
  else printLine(windowLines(explained).join('\n'));
}

async function readWindows(
  pool: pg.Pool,
  settings: Settings,
  { atMs, aggregates, funnel }: Omit<Asked, 'json'>,
): Promise<{ windows: ExplainedWindow[]; funnels: ExplainedFunnel[] }> {
  const { schema } = settings;
  // Read first: a window that is written meanwhile then counts as closed, never as empty.
  const { writtenThroughMs } = await readClock(pool, settings);
  const windows: ExplainedWindow[] = [];
  for (const aggregate of aggregates) {
    const { lengthMs, slideMs } = aggregate.window;
    const startMs = Math.floor(atMs / slideMs) * slideMs;
    const span = { startMs, endMs: startMs + lengthMs };
    const history = await readWindowHistory(pool, schema, { aggregate, span });
    const isWritten = writtenThroughMs !== null && writtenThroughMs >= span.endMs;
    const state = history.closed !== null ? 'closed' : isWritten ? 'empty' : 'open';
    windows.push({ aggregate: aggregate.name, counts: 'event', span, state, history, why: [] });
  }
  const funnels = funnel ? [await readExplainedFunnel(pool, { schema, atMs, writtenThroughMs })] : [];
  return { windows, funnels };
}

/** Everything that decides when event time goes on, as of now. */
async function readEventTime(settings: Settings): Promise<{ facts: EventTimeFacts; rules: SessionRules }> {
  const workflows = await askWorkflows(settings);
  // The running pipeline closes by its own rules, whatever this call was given.
  const rules = { ...settings, ...workflows.rules };
  const reader = await openStatusReader(rules);
  try {
    const report = await reader.read();
    const known = await withSessionRules(reader.pool, rules);
    const lastWindowEndMs = await lastWindowEnd(reader.pool, known);
    const { nowMs } = await readClock(reader.pool, settings);
    return { facts: factsOf(report, { ...rules, lastWindowEndMs, nowMs, workflows }), rules: sessionRulesOf(known) };
  } finally {
    await reader.close();
  }
}

type Beside = Pick<EventTimeFacts, 'nowMs' | 'lastWindowEndMs' | 'latenessMs' | 'idleAfterMs'> & {
  readonly workflows: WorkflowTroubles;
};

function factsOf(report: StatusReport, { workflows, ...rest }: Beside): EventTimeFacts {
  const { nowMs, lastWindowEndMs, latenessMs, idleAfterMs } = rest;
  const ms = (iso: string | null): number | null => (iso === null ? null : Date.parse(iso));
  return {
    nowMs,
    lastWindowEndMs,
    latenessMs,
    idleAfterMs,
    lowWatermarkMs: ms(report.lowWatermark),
    closedThroughMs: ms(report.closedThrough),
    writtenThroughMs: ms(report.writtenThrough),
    troubles: workflows.sentences,
    partitions: report.partitions.map(({ partition, watermark, lag, idle, problem }) => ({
      partition,
      watermarkMs: ms(watermark),
      lag,
      idle,
      problem,
      resting: workflows.resting.get(partition) ?? null,
    })),
  };
}
