// The result tables as two sides are compared: what a row is known by, what it says, and which rows were closed on both sides.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { instant } from './instant.ts';
import { measureColumns } from './result-sql.ts';
import { SESSION_MEASURES } from './session-rows.ts';
import { FUNNEL_TABLE } from './settle-funnels.ts';

/**
 * `keys`: the first is a time. `cells`: what is compared. `needs`: tables that must be there on both sides. `closed`: SQL
 * condition on a row of the alias `from`, that it was closed on both sides (`left` and `right`, quoted schemas).
 */
export type ComparedResult = {
  readonly name: string;
  readonly keys: readonly [time: string, ...group: string[]];
  readonly cells: readonly string[];
  readonly needs: readonly string[];
  readonly closed: (from: string, sides: Sides) => string;
};

/** `throughMs`: results of both sides are written through it; null: of one nothing is. */
type Sides = { readonly left: string; readonly right: string; readonly throughMs: number | null };

const ofWindows = (from: string, { throughMs }: Sides): string => `${from}.window_end <= ${instant(throughMs)}`;

/** Each by itself, so that PostgreSQL makes a join of it. */
const onNeither = ({ left, right }: Sides, condition: (schema: string) => string): string =>
  `not ${condition(left)} and not ${condition(right)}`;

export const COMPARED_RESULTS: readonly ComparedResult[] = [
  ...AGGREGATES.map((aggregate): ComparedResult => ({
    name: aggregate.name,
    keys: ['window_start', ...aggregate.groupBy],
    cells: ['window_end', ...measureColumns(aggregate)],
    needs: [aggregate.name],
    closed: ofWindows,
  })),
  {
    name: SESSIONS,
    keys: ['session_start', 'user_id'],
    cells: SESSION_MEASURES,
    needs: [SESSIONS, 'open_sessions'],
    // What began before both sides were written to there, and is open on neither.
    closed: (from, sides) =>
      `${from}.session_start < ${instant(sides.throughMs)} and ${onNeither(sides, (schema) => {
        return `exists (select from ${schema}.open_sessions o where o.user_id = ${from}.user_id and o.session_start <= ${from}.session_end)`;
      })}`,
  },
  {
    name: FUNNEL,
    keys: ['window_start', ...FUNNEL_TABLE.groupBy],
    cells: ['window_end', ...measureColumns(FUNNEL_TABLE)],
    needs: [FUNNEL, 'pending_funnels'],
    closed: (from, sides) =>
      `${ofWindows(from, sides)} and ${onNeither(sides, (schema) => {
        return `exists (select from ${schema}.pending_funnels p where p.window_start = ${from}.window_start)`;
      })}`,
  },
];
