// From when to when a user did something in a minute, whatever session, device and location the client named.
import { quoteSchema } from './schema-name.ts';

/** FROM item without a name: `pane`, `user_id`, `first_at`, `last_at`. Conditions on the first two reach the index below. */
export function userMinutes(schema: string): string {
  return `(
    select pane, user_id, min(first_at) as first_at, max(last_at) as last_at
    from ${quoteSchema(schema)}.pane_facts group by pane, user_id
  )`;
}
