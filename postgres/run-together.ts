// Several statements in one round trip: PostgreSQL runs them in order and stops at the first that fails.
import type { Queryable } from './pool.ts';

/** What one of the statements answered. Only numbers are asked for here. */
export type Answer = {
  readonly rows: readonly Readonly<Record<string, number>>[];
  readonly rowCount: number | null;
};

/** Runs `statements` inside the caller's transaction (on a pool: in one of their own) and returns their answers in order. They cannot have parameters. */
export async function runTogether(client: Queryable, statements: readonly string[]): Promise<Answer[]> {
  // The driver answers several statements with an array, which its types do not tell.
  const answer: Answer | Answer[] = await client.query(statements.join(';\n'));
  return Array.isArray(answer) ? answer : [answer];
}

/** Sum of the column `name` over the first rows of `answers`. */
export function sumOf(answers: readonly Answer[], name: string): number {
  return answers.reduce((sum, { rows }) => sum + (rows[0]?.[name] ?? 0), 0);
}
