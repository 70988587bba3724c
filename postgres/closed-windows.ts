// What people ask about the table `windows`: how many closed, which came last, what they say, what could close now.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { paneStart } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { FUNNEL, lastEndOfAny, openBackMs, sessionRulesOf } from '../pipeline/session.ts';
import type { SessionSettings } from '../pipeline/session.ts';
import type { Clock } from './closed-through.ts';
import { instant, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { keyColumns, measureColumns } from './result-sql.ts';
import type { ResultTable } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';

/** One closed window. Times are epoch ms; `events` counts those in it; of the funnels: sessions. */
export type ClosedWindow = {
  readonly aggregate: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly revision: number;
  readonly events: number;
  readonly closedAtMs: number;
};

/** Number of closed windows of each declared aggregate and of the funnels, 0 where none closed yet. */
export async function countClosedWindows(db: Queryable, schema: string): Promise<Record<string, number>> {
  const { rows } = await db.query<{ aggregate: string; windows: number }>(
    `select aggregate, count(*)::float8 as windows from ${quoteSchema(schema)}.windows group by aggregate`,
  );
  const counted = new Map(rows.map(({ aggregate, windows }) => [aggregate, windows]));
  return Object.fromEntries(
    [...AGGREGATES.map(({ name }) => name), FUNNEL].map((name) => [name, counted.get(name) ?? 0]),
  );
}

/** The newest closed windows, newest first; of one aggregate or of all (null). */
export async function newestWindows(
  db: Queryable,
  schema: string,
  { aggregate, limit }: { aggregate: string | null; limit: number },
): Promise<ClosedWindow[]> {
  const { rows } = await db.query<ClosedWindow>(
    `select aggregate, ${toMs('window_start')} as "startMs", ${toMs('window_end')} as "endMs", revision,
       events::float8 as events, ${toMs('closed_at')} as "closedAtMs"
     from ${quoteSchema(schema)}.windows where $1::text is null or aggregate = $1
     order by window_end desc, window_start desc, aggregate limit $2`,
    [aggregate, limit],
  );
  return rows;
}

/** Rows of the newest closed window in a result table, as text by column, in the order of the group columns. */
export async function newestResultRows(
  db: Queryable,
  schema: string,
  { table: of, limit }: { table: ResultTable; limit: number },
): Promise<{ columns: string[]; rows: string[][] }> {
  const columns = [...keyColumns(of), ...measureColumns(of), 'revision'];
  const table = `${quoteSchema(schema)}.${of.name}`;
  const { rows } = await db.query<Record<string, string | null>>(
    `select ${columns.map((column) => `${column}::text as ${column}`).join(', ')} from ${table} r
     where r.window_start = (select max(window_start) from ${table})
     order by ${of.groupBy.map((column) => `r.${column}`).join(', ')} limit $1`,
    [limit],
  );
  return { columns, rows: rows.map((row) => columns.map((column) => row[column] ?? '-')) };
}

/**
 * Whether something that ends by the low watermark is not written yet: a pane with events, or a window or
 * session over panes that are. Errs on the side of yes for the moment in which the closer moves over minutes without events.
 */
export async function hasClosableWindows(
  db: Queryable,
  { schema, ...settings }: Pick<PipelineSpec, 'schema'> & SessionSettings,
  { writtenThroughMs, lowWatermarkMs }: Pick<Clock, 'writtenThroughMs' | 'lowWatermarkMs'>,
): Promise<boolean> {
  if (lowWatermarkMs === null) return false;
  const rules = sessionRulesOf(settings);
  const limitMs = paneStart(lowWatermarkMs);
  if (writtenThroughMs !== null && limitMs <= writtenThroughMs) return false;
  const sinceMs = writtenThroughMs === null ? null : writtenThroughMs - openBackMs(rules);
  const { rows } = await db.query<{ latest_ms: number | null }>(
    `select ${toMs('max(occurred_at)')} as latest_ms from ${quoteSchema(schema)}.events
     where occurred_at >= ${instant(sinceMs)} and occurred_at < ${instant(limitMs)}`,
  );
  const latestMs = rows[0]?.latest_ms ?? null;
  if (latestMs === null) return false;
  return writtenThroughMs === null || latestMs >= writtenThroughMs || lastEndOfAny(latestMs, rules) > writtenThroughMs;
}
