// How far the sessions of a range of time came in each funnel: counted from the sessions, because medians of windows don't add
// up to the median of them all.
import { FUNNELS } from '../pipeline/funnel.ts';
import { instant, msOrNull, toMs } from './instant.ts';
import { LIVE_SESSIONS } from './live-views.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { freshRows, stepCounts } from './settle-funnels.ts';

/** What sessions are told apart by. */
export const FUNNEL_GROUPS = ['device', 'location'] as const;
type FunnelGroup = (typeof FUNNEL_GROUPS)[number];

/** Sessions that started in `[fromMs, toMs)`, epoch ms; null: without that bound. */
export type FunnelRange = { readonly fromMs: number | null; readonly toMs: number | null };

/**
 * One step. `reached`: sessions that came as far, of which `reachedOpen` are open and may come further. Shares are of the step
 * before (`conversion`) and of the first (`overallConversion`), null where nobody came as far as that; times are from the step
 * before. Money is a decimal string.
 */
export type ReachedStep = {
  readonly step: number;
  readonly name: string;
  readonly reached: number;
  readonly reachedOpen: number;
  readonly conversion: number | null;
  readonly overallConversion: number | null;
  readonly dropOff: number;
  readonly medianSeconds: number | null;
  readonly p90Seconds: number | null;
  readonly revenue: string;
};

/** `group` null: all sessions together. `open`: how many of them are open. */
export type FunnelCount = {
  readonly funnel: string;
  readonly group: string | null;
  readonly sessions: number;
  readonly open: number;
  readonly steps: readonly ReachedStep[];
};

type StepRow = Omit<ReachedStep, 'reachedOpen'> & {
  readonly is_open: boolean;
  readonly funnel: string;
  readonly group: string;
  readonly sessions: number;
};

/** In the order of the declarations, the groups with most sessions first; nothing where no session started in the range. */
export async function readFunnels(
  db: Queryable,
  schema: string,
  { fromMs, toMs: untilMs, by }: FunnelRange & { readonly by: FunnelGroup | null },
): Promise<FunnelCount[]> {
  const until = untilMs === null ? '' : `and session_start < ${instant(untilMs)}`;
  // Open ones are counted twice: among all, and by themselves. The window tells the two apart.
  const { rows } = await db.query<StepRow>(
    `with asked as materialized (
       select ${by ?? "''"} as device, '' as location, revenue, funnels, provisional
       from ${quoteSchema(schema)}.${LIVE_SESSIONS} where session_start >= ${instant(fromMs)} ${until}
     ),
     visits as (
       select timestamptz '-infinity' as window_start, * from asked
       union all
       select timestamptz 'infinity', * from asked where provisional
     ),
     ${stepCounts()},
     ${freshRows()}
     select window_start = 'infinity' as is_open, funnel, device as "group", sessions::float8, step, step_name as name,
       reached::float8, conversion::float8, overall_conversion::float8 as "overallConversion", drop_off::float8 as "dropOff",
       median_seconds as "medianSeconds", p90_seconds as "p90Seconds", revenue::numeric(30, 2)::text as revenue
     from fresh order by sessions desc, device, step`,
  );
  return FUNNELS.flatMap(({ name }) =>
    countsOf(
      name,
      rows.filter((row) => row.funnel === name),
      by !== null,
    ),
  );
}

function countsOf(funnel: string, rows: readonly StepRow[], isGrouped: boolean): FunnelCount[] {
  const all = rows.filter((row) => !row.is_open);
  const groups = new Set(all.map(({ group }) => group));
  return [...groups].map((group) => {
    const open = rows.filter((row) => row.is_open && row.group === group);
    const steps = all.filter((row) => row.group === group);
    return {
      funnel,
      group: isGrouped ? group : null,
      sessions: steps[0]?.sessions ?? 0,
      open: open[0]?.sessions ?? 0,
      steps: steps.map((row) => stepOf(row, open)),
    };
  });
}

function stepOf(row: StepRow, open: readonly StepRow[]): ReachedStep {
  const { step, name, reached, conversion, overallConversion, dropOff, medianSeconds, p90Seconds, revenue } = row;
  const reachedOpen = open.find((other) => other.step === step)?.reached ?? 0;
  const counts = { reached, reachedOpen, conversion, overallConversion, dropOff };
  return { step, name, ...counts, medianSeconds, p90Seconds, revenue };
}

/** When the newest session started, closed or open; null: there is none. */
export async function newestSessionStart(db: Queryable, schema: string): Promise<number | null> {
  const tables = quoteSchema(schema);
  const newest = (table: string): string => `(select max(session_start) from ${tables}.${table})`;
  const { rows } = await db.query<{ newest_ms: number | null }>(
    `select ${toMs(`greatest(${newest('sessions')}, ${newest('open_sessions')})`)} as newest_ms`,
  );
  return msOrNull(rows[0]?.newest_ms);
}
