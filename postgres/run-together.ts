// Several statements in one round trip: PostgreSQL runs them in order and stops at the first that fails.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import type { Queryable } from './pool.ts';

/** Runs `statements` inside the caller's transaction and returns their results in order. They cannot have parameters. */
export async function runTogether(client: Queryable, statements: readonly string[]): Promise<pg.QueryResult[]> {
  if (statements.length === 0) return [];
  // The driver answers several statements with an array, which its types do not tell.
  const answer: pg.QueryResult | pg.QueryResult[] = await client.query(statements.join(';\n'));
  return Array.isArray(answer) ? answer : [must(answer, 'an answer of PostgreSQL')];
}
