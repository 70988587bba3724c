// The three group roles and what each may do in a schema: declared here, brought up to date by every migration.
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { giveTables } from './ownership.ts';
import { quoteSchema } from './schema-name.ts';

export const OWNER = 'weir_owner';
const WORKER = 'weir_worker';
const READER = 'weir_reader';
const ROLES = [OWNER, WORKER, READER] as const;

type Privilege = 'select' | 'insert' | 'update' | 'delete';
type Rights = Readonly<Record<string, readonly Privilege[]>>;

const RESULTS = [...AGGREGATES.map(({ name }) => name), SESSIONS, FUNNEL];
const VIEWS = [...RESULTS.map((name) => `${name}_history`), 'live_sessions', 'live_funnel'];

const each = (tables: readonly string[], privileges: readonly Privilege[]): Rights =>
  Object.fromEntries(tables.map((table) => [table, privileges]));

/**
 * What ingesting, closing, amending, replaying and rebuilding do, and what reading commands ask: nothing is ever deleted but
 * what is counted anew. A table that is not named here is nobody's but its owner's.
 */
const WORKER_RIGHTS: Rights = {
  ...each(['schema_version', 'promotions', 'restored_from', ...VIEWS], ['select']),
  ...each(['events', 'checkpoint_runs', 'gaps', 'amendments', 'verifications'], ['select', 'insert']),
  ...each(['dead_letters', 'late_events', 'checkpoints', 'closed_through'], ['select', 'insert', 'update']),
  ...each(
    ['pane_facts', 'purchase_facts', 'open_sessions', 'pending_funnels', 'windows', ...RESULTS],
    ['select', 'insert', 'update', 'delete'],
  ),
};

/** Results, what they were before, and which windows they are of; not events, not letters, not how far ingestion is. */
const READER_RIGHTS: Rights = each(['windows', 'amendments', ...RESULTS, ...VIEWS], ['select']);

const RIGHTS = new Map<string, Rights>([
  [WORKER, WORKER_RIGHTS],
  [READER, READER_RIGHTS],
]);

/** The tables and views that somebody but the owner has rights to: all others of a schema are the owner's alone. */
export const SHARED_TABLES: readonly string[] = [...new Set(Object.keys({ ...WORKER_RIGHTS, ...READER_RIGHTS }))];

const WORKER_FUNCTIONS = ['ensure_event_days(date[])', 'ensure_event_years(int, int)'];

/**
 * Makes the roles where they are missing, gives the schema to weir_owner and the others their rights in it, in the transaction
 * that the client is in; a call that changes nothing takes no lock. Answers what a person has to do where the user of this
 * connection may not do it, else null: tables and data are as they should be all the same.
 */
export async function applyRights(client: pg.ClientBase, schema: string): Promise<string | null> {
  const missing = await makeRoles(client);
  if (missing.length > 0) {
    const who = await currentUser(client);
    const statements = missing.map((role) => `create role ${role} nologin`).join('; ');
    return `The roles ${missing.join(', ')} are missing, and ${who} may not make them, so nobody but ${who} was given rights in schema ${schema}: let an administrator run "${statements}", then run \`weir migrate\` again, or go on with one user for everything.`;
  }
  const notice = await giveTables(client, schema, OWNER);
  await grantTables(client, schema);
  await grantRest(client, schema);
  return notice;
}

/** Answers those that are missing and cannot be made. Roles belong to the whole server, so others may be making them too. */
async function makeRoles(client: pg.ClientBase): Promise<string[]> {
  if ((await missingRoles(client)).length === 0) return [];
  const { rows } = await client.query<{ may: boolean; super: boolean }>(
    `select rolsuper or rolcreaterole as may, rolsuper as super from pg_roles where rolname = current_user`,
  );
  const { may, super: isSuper } = must(rows[0], 'the row of the current user');
  if (may) {
    await client.query(`select pg_advisory_xact_lock(hashtextextended('weir/roles', 0))`);
    for (const role of await missingRoles(client)) {
      await client.query(`do $$ begin
        create role ${role} nologin;
        ${isSuper || role !== OWNER ? '' : `execute format('grant ${role} to %I', current_user);`}
      exception when duplicate_object or unique_violation then null; end $$`);
    }
  }
  return await missingRoles(client);
}

async function missingRoles(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ role: string }>(
    `select role from unnest($1::text[]) with ordinality as r (role, place)
     where not exists (select from pg_roles where rolname = role) order by place`,
    [ROLES],
  );
  return rows.map(({ role }) => role);
}

async function currentUser(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ name: string }>('select current_user as name');
  return must(rows[0], 'the name of the current user').name;
}

/** Grants what is declared and not there, and takes back what is there and not declared, of the tables named here. */
async function grantTables(client: pg.ClientBase, schema: string): Promise<void> {
  const there = await presentRights(client, schema);
  const statements: string[] = [];
  for (const [role, rights] of RIGHTS) {
    for (const [table, wanted] of Object.entries(rights)) {
      const granted = there.get(table)?.get(role);
      if (!there.has(table)) continue;
      const lacks = wanted.filter((privilege) => !granted?.has(privilege));
      if (lacks.length > 0)
        statements.push(`grant ${lacks.join(', ')} on ${quoteSchema(schema)}."${table}" to ${role}`);
    }
    for (const table of SHARED_TABLES) {
      const surplus = [...(there.get(table)?.get(role) ?? [])].filter(
        (privilege) => !isAmong(rights[table], privilege),
      );
      if (surplus.length > 0)
        statements.push(`revoke ${surplus.join(', ')} on ${quoteSchema(schema)}."${table}" from ${role}`);
    }
  }
  if (statements.length > 0) await client.query(statements.join('; '));
}

const isAmong = (privileges: readonly string[] | undefined, privilege: string): boolean =>
  privileges?.includes(privilege) ?? false;

/** What each of our roles has been granted, by table; a table without grants has an empty entry. */
async function presentRights(client: pg.ClientBase, schema: string): Promise<Map<string, Map<string, Set<string>>>> {
  const { rows } = await client.query<{ table: string; role: string | null; privilege: string }>(
    `select c.relname as table, r.rolname as role, lower(a.privilege_type) as privilege
     from pg_class c
       left join lateral aclexplode(c.relacl) a on true
       left join pg_roles r on r.oid = a.grantee and r.rolname = any($2)
     where c.relnamespace = to_regnamespace($1) and c.relname = any($3)`,
    [quoteSchema(schema), ROLES, SHARED_TABLES],
  );
  const found = new Map<string, Map<string, Set<string>>>();
  for (const { table, role, privilege } of rows) {
    const byRole = found.get(table) ?? new Map<string, Set<string>>();
    found.set(table, byRole);
    if (role !== null) byRole.set(role, (byRole.get(role) ?? new Set()).add(privilege));
  }
  return found;
}

/** The schema itself, the functions that make tables, and temporary tables, which batches with duplicates go through. */
async function grantRest(client: pg.ClientBase, schema: string): Promise<void> {
  const tables = quoteSchema(schema);
  const { rows } = await client.query<{ lacks: string }>(
    `select format('grant usage on schema %s to %I', $1::text, role) as lacks
       from unnest($2::text[]) role where not has_schema_privilege(role::name, to_regnamespace($1)::oid, 'usage')
     union all
     select format('grant execute on function %s to %I', function, $4::text)
       from unnest($3::text[]) function
      where to_regprocedure(function) is not null and not has_function_privilege($4::name, function, 'execute')
     union all
     select format('grant temporary on database %I to %I', current_database(), $4::text)
      where not has_database_privilege($4::name, current_database()::text, 'temporary')
        and has_database_privilege(current_database()::text, 'temporary with grant option')`,
    [tables, [WORKER, READER], WORKER_FUNCTIONS.map((name) => `${tables}.${name}`), WORKER],
  );
  if (rows.length > 0) await client.query(rows.map(({ lacks }) => lacks).join('; '));
}
