// Whose the tables are: weir_owner's, so that any member of it can migrate what another one made.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { quoteSchema } from './schema-name.ts';

/** What `alter ... owner to` calls the things of a schema. Indexes, identity sequences and row types follow their table. */
const FOREIGN_OBJECTS = `
  select format('alter %s %s owner to ', case c.relkind when 'v' then 'view' else 'table' end, c.oid::regclass) as alter
  from pg_class c where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p', 'v') and c.relowner <> $2::text::regrole
  union all
  select format('alter %s %s owner to ', case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
    p.oid::regprocedure)
  from pg_proc p where p.pronamespace = $1::text::regnamespace and p.proowner <> $2::text::regrole`;

type Standing = {
  readonly me: string;
  readonly database: string;
  readonly owner: string;
  /** May act as the present owner, may hand things to the new one, and the new one may have schemas in this database. */
  readonly isMine: boolean;
  readonly may_hand: boolean;
  readonly may_own: boolean;
  readonly may_let_own: boolean;
};

/**
 * Gives the schema and everything in it to `role`, as far as it isn't its own. Answers a sentence where the user of this
 * connection may not, and then changes nothing; null otherwise. Locks each table that changes hands.
 */
export async function giveTables(client: pg.ClientBase, schema: string, role: string): Promise<string | null> {
  const { rows } = await client.query<Standing>(
    `select current_user as me, current_database() as database, nspowner::regrole::text as owner,
       pg_has_role(nspowner, 'usage') as "isMine", pg_has_role($2::name, 'set') as may_hand,
       has_database_privilege($2::name, current_database()::text, 'create') as may_own,
       has_database_privilege(current_database()::text, 'create with grant option') as may_let_own
     from pg_namespace where oid = to_regnamespace($1::text)`,
    [quoteSchema(schema), role],
  );
  const standing = must(rows[0], `schema ${schema}`);
  if (standing.isMine && standing.may_hand && (standing.may_own || standing.may_let_own)) {
    if (!standing.may_own) await letMakeSchemas(client, role, standing.database);
    await handOver(client, schema, role);
    return null;
  }
  if (standing.owner === role) return null;
  return `Schema ${schema} stays with ${standing.owner}, because ${standing.me} may not give it to ${role}: only ${standing.owner} can migrate it. To change that let an administrator run "grant ${role} to ${standing.me}; grant create on database ${standing.database} to ${role}", then run \`weir migrate\` again.`;
}

/** One at a time: two who change the rights of one database at once make one of them fail. */
async function letMakeSchemas(client: pg.ClientBase, role: string, database: string): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(hashtextextended('weir/roles', 0))`);
  const { rows } = await client.query<{ may: boolean }>(
    'select has_database_privilege($1::name, $2::text, $3) as may',
    [role, database, 'create'],
  );
  if (!rows[0]?.may) await client.query(`grant create on database ${client.escapeIdentifier(database)} to ${role}`);
}

async function handOver(client: pg.ClientBase, schema: string, role: string): Promise<void> {
  const tables = quoteSchema(schema);
  const { rows } = await client.query<{ alter: string }>(
    `select format('alter schema %s owner to ', $1::text) as alter from pg_namespace
      where oid = $1::text::regnamespace and nspowner <> $2::text::regrole
     union all ${FOREIGN_OBJECTS}`,
    [tables, role],
  );
  if (rows.length > 0) await client.query(rows.map(({ alter }) => `${alter}${role}`).join('; '));
}
