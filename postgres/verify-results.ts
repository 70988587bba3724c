// Recomputes every closed window of a result table from `events` and compares it with the stored rows, cell by cell.
import { MAX_EXAMPLES } from '../pipeline/check.ts';
import type { Check } from '../pipeline/check.ts';
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { compareWindowsSql } from './verify-windows-sql.ts';

const HOUR_MS = 3_600_000;
/** Event time compared at once: grown and shrunk so that one statement takes about a second, whatever the event rate. */
const CHUNK_MS = { first: HOUR_MS, least: HOUR_MS / 6, most: 720 * HOUR_MS };
const QUICK_MS = 300;
const SLOW_MS = 3000;

export type ResultInput = {
  readonly aggregate: Aggregate;
  /** Result tables hold the windows that end here or before (epoch ms, whole panes); null: none was closed yet. */
  readonly throughMs: number | null;
  readonly onProgress: (done: number, of: number) => void;
};

/** What one chunk's comparison found. */
type Compared = {
  readonly recomputed: string;
  readonly stored: string;
  readonly missing: string;
  readonly extra: string;
  readonly cells: string;
  readonly examples: readonly string[] | null;
  readonly windows_expected: string;
  readonly windows_stored: string;
  readonly windows_wrong: string;
  readonly window_examples: readonly string[] | null;
};

type Sums = { expected: number; found: number; differences: number; examples: string[] };

/** Two checks: the rows of the result table, and the rows of `windows` that say how many events each window holds. */
export async function checkResults(db: Queryable, schema: string, input: ResultInput): Promise<Check[]> {
  const { aggregate, throughMs, onProgress } = input;
  const rows: Sums = { expected: 0, found: 0, differences: 0, examples: [] };
  const windows: Sums = { expected: 0, found: 0, differences: 0, examples: [] };
  await countUnclosed(db, schema, { input, rows, windows });
  if (throughMs !== null) {
    const { lengthMs, slideMs } = aggregate.window;
    // Windows start before this, so that they end at throughMs or before.
    const stopMs = Math.floor((throughMs - lengthMs) / slideMs) * slideMs + slideMs;
    const sql = compareWindowsSql(aggregate, schema);
    let chunkMs = CHUNK_MS.first;
    let fromMs = await nextWindowStart(db, schema, { aggregate, fromMs: null });
    const startMs = fromMs;
    while (fromMs !== null && startMs !== null && fromMs < stopMs) {
      const toMs = Math.min(fromMs + Math.ceil(chunkMs / slideMs) * slideMs, stopMs);
      const began = performance.now();
      const { rows: compared } = await db.query<Compared>(sql, [fromMs / 1000, toMs / 1000, MAX_EXAMPLES]);
      const tookMs = performance.now() - began;
      if (compared[0]) addCompared(compared[0], rows, windows);
      if (tookMs < QUICK_MS) chunkMs = Math.min(chunkMs * 2, CHUNK_MS.most);
      if (tookMs > SLOW_MS) chunkMs = Math.max(chunkMs / 2, CHUNK_MS.least);
      onProgress(toMs - startMs, stopMs - startMs);
      fromMs = await nextWindowStart(db, schema, { aggregate, fromMs: toMs });
    }
  }
  return [
    { name: aggregate.name, claim: `${aggregate.name} equals a recount of events`, ...rows },
    { name: `${aggregate.name} windows`, claim: 'windows lists every closed window that holds events', ...windows },
  ];
}

function addCompared(compared: Compared, rows: Sums, windows: Sums): void {
  rows.expected += Number(compared.recomputed);
  rows.found += Number(compared.stored);
  rows.differences += Number(compared.missing) + Number(compared.extra) + Number(compared.cells);
  addExamples(rows, compared.examples);
  windows.expected += Number(compared.windows_expected);
  windows.found += Number(compared.windows_stored);
  windows.differences += Number(compared.windows_wrong);
  addExamples(windows, compared.window_examples);
}

function addExamples(sums: Sums, examples: readonly string[] | null): void {
  for (const example of examples ?? []) {
    if (sums.examples.length < MAX_EXAMPLES) sums.examples.push(example);
  }
}

/** Results of windows that are not closed are differences, every one. */
async function countUnclosed(
  db: Queryable,
  schema: string,
  { input: { aggregate, throughMs }, rows, windows }: { input: ResultInput; rows: Sums; windows: Sums },
): Promise<void> {
  const tables = quoteSchema(schema);
  const unclosed = `window_end > coalesce(to_timestamp($1::float8), '-infinity')`;
  const through = throughMs === null ? null : throughMs / 1000;
  const { rows: found } = await db.query<{ rows: string; windows: string }>(
    `select (select count(*) from ${tables}.${aggregate.name} where ${unclosed}) as rows,
            (select count(*) from ${tables}.windows where aggregate = $2 and ${unclosed}) as windows`,
    [through, aggregate.name],
  );
  for (const [sums, count] of [
    [rows, Number(found[0]?.rows ?? 0)],
    [windows, Number(found[0]?.windows ?? 0)],
  ] as const) {
    if (count === 0) continue;
    sums.found += count;
    sums.differences += count;
    sums.examples.push(`${count} rows are of windows that are not closed yet.`);
  }
}

/**
 * The first window start at or after `fromMs` that may hold events or has rows: stretches without either cost nothing.
 * null: there is none.
 */
async function nextWindowStart(
  db: Queryable,
  schema: string,
  { aggregate, fromMs }: { aggregate: Aggregate; fromMs: number | null },
): Promise<number | null> {
  const tables = quoteSchema(schema);
  const from = `coalesce(to_timestamp($1::float8), '-infinity')`;
  const ms = (expression: string): string => `floor(extract(epoch from ${expression}) * 1000)::float8`;
  const { rows } = await db.query<{ event_ms: number | null; row_ms: number | null }>(
    `select ${ms(`(select min(occurred_at) from ${tables}.events where occurred_at >= ${from})`)} as event_ms,
       ${ms(`least((select min(window_start) from ${tables}.${aggregate.name} where window_start >= ${from}),
         (select min(window_start) from ${tables}.windows where aggregate = $2 and window_start >= ${from}))`)} as row_ms`,
    [fromMs === null ? null : fromMs / 1000, aggregate.name],
  );
  const { event_ms: eventMs = null, row_ms: rowMs = null } = rows[0] ?? {};
  const { lengthMs, slideMs } = aggregate.window;
  const align = (atMs: number): number => Math.floor(atMs / slideMs) * slideMs;
  const starts: number[] = [];
  if (eventMs !== null) starts.push(align(eventMs) - lengthMs + slideMs);
  if (rowMs !== null) starts.push(align(rowMs));
  if (starts.length === 0) return null;
  return fromMs === null ? Math.min(...starts) : Math.max(fromMs, Math.min(...starts));
}
