// The PostgreSQL schema of a pipeline, as SQL writes it. Every name in SQL is qualified by it: a role named like the
// schema would otherwise change the search path, and with it the tables that unqualified names mean.
import { assert } from '../pipeline/ensure.ts';

/** `"schema"`, quoted for SQL. Throws unless the name is plain: lower-case letters, digits, underscores, at most 40. */
export function quoteSchema(schema: string): string {
  assert(/^[a-z_][a-z0-9_]{0,39}$/.test(schema), `Schema name "${schema}" must be lower-case letters, digits and _.`);
  return `"${schema}"`;
}
