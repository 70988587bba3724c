// Recomputes every closed window of a result table from `events` and compares it with the stored rows, cell by cell.
import { MAX_EXAMPLES } from '../pipeline/check.ts';
import type { Check } from '../pipeline/check.ts';
import type { Aggregate } from '../pipeline/aggregates.ts';
import { instant, msOrNull, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { walkStretches } from './stretches.ts';
import { compareWindowsSql } from './verify-windows-sql.ts';
import type { Compared } from './verify-windows-sql.ts';

export type ResultInput = {
  readonly aggregate: Aggregate;
  /** Result tables hold the windows that end here or before (epoch ms, whole panes); null: none was closed yet. */
  readonly throughMs: number | null;
  readonly onProgress: (done: number, of: number) => void;
};

type Sums = { expected: number; found: number; differences: number; examples: string[] };

/** Two checks: the rows of the result table, and the rows of `windows` that say how many events each window holds. */
export async function checkResults(db: Queryable, schema: string, input: ResultInput): Promise<Check[]> {
  const { aggregate, throughMs, onProgress } = input;
  const rows: Sums = { expected: 0, found: 0, differences: 0, examples: [] };
  const windows: Sums = { expected: 0, found: 0, differences: 0, examples: [] };
  await countUnclosed(db, schema, { input, rows, windows });
  if (throughMs !== null) await compareClosed(db, schema, { aggregate, throughMs, onProgress, rows, windows });
  return [
    { name: aggregate.name, claim: `${aggregate.name} equals a recount of events`, ...rows },
    { name: `${aggregate.name} windows`, claim: 'windows lists every closed window that holds events', ...windows },
  ];
}

type ClosedInput = ResultInput & { throughMs: number; rows: Sums; windows: Sums };

async function compareClosed(db: Queryable, schema: string, input: ClosedInput): Promise<void> {
  const { aggregate, throughMs, onProgress, rows, windows } = input;
  const { lengthMs, slideMs } = aggregate.window;
  // Windows start before this, so that they end at throughMs or before.
  const stopMs = Math.floor((throughMs - lengthMs) / slideMs) * slideMs + slideMs;
  await walkStretches({
    stepMs: slideMs,
    stopMs,
    next: (fromMs) => nextWindowStart(db, schema, { aggregate, fromMs }),
    visit: async (starts) => {
      const { rows: compared } = await db.query<Compared>(
        compareWindowsSql(aggregate, schema, { starts, maxExamples: MAX_EXAMPLES }),
      );
      if (compared[0]) addCompared(compared[0], rows, windows);
    },
    onProgress,
  });
}

function addCompared(compared: Compared, rows: Sums, windows: Sums): void {
  rows.expected += Number(compared.recomputed);
  rows.found += Number(compared.stored);
  rows.differences += Number(compared.missing) + Number(compared.extra) + Number(compared.cells);
  addExamples(rows, compared.examples);
  windows.expected += Number(compared.windows_recomputed);
  windows.found += Number(compared.windows_stored);
  windows.differences += Number(compared.windows_wrong);
  addExamples(windows, compared.window_examples);
}

function addExamples(sums: Sums, examples: readonly string[]): void {
  for (const example of examples) {
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
  const unclosed = `window_end > ${instant(throughMs)}`;
  const { rows: found } = await db.query<{ rows: string; windows: string }>(
    `select (select count(*) from ${tables}.${aggregate.name} where ${unclosed}) as rows,
            (select count(*) from ${tables}.windows where aggregate = $1 and ${unclosed}) as windows`,
    [aggregate.name],
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
  const from = instant(fromMs);
  const { rows } = await db.query<{ event_ms: number | null; row_ms: number | null }>(
    `select ${toMs(`(select min(occurred_at) from ${tables}.events where occurred_at >= ${from})`)} as event_ms,
       ${toMs(`least((select min(window_start) from ${tables}.${aggregate.name} where window_start >= ${from}),
         (select min(window_start) from ${tables}.windows where aggregate = $1 and window_start >= ${from}))`)} as row_ms`,
    [aggregate.name],
  );
  const eventMs = msOrNull(rows[0]?.event_ms);
  const rowMs = msOrNull(rows[0]?.row_ms);
  const { lengthMs, slideMs } = aggregate.window;
  const align = (atMs: number): number => Math.floor(atMs / slideMs) * slideMs;
  const starts: number[] = [];
  if (eventMs !== null) starts.push(align(eventMs) - lengthMs + slideMs);
  if (rowMs !== null) starts.push(align(rowMs));
  if (starts.length === 0) return null;
  return fromMs === null ? Math.min(...starts) : Math.max(fromMs, Math.min(...starts));
}
