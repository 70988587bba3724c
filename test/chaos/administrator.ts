// The hand of whoever looks after PostgreSQL: one session that does to the server what faults are made of.
import { Client } from 'pg';

import { clientConfig } from '../../postgres/pool.ts';
import type { ChaosWorld } from './chaos-world.ts';

/** A plain client of `pg`: nothing that faults do to the product's own connections may help or hinder it. */
export type Administrator = Client;

/** Opens a session that the settings it makes for others do not touch, and ends it. */
export async function withAdministrator<T>(
  { stack }: Pick<ChaosWorld, 'stack'>,
  work: (administrator: Administrator) => Promise<T>,
): Promise<T> {
  const client = await openSession(stack.addresses.postgres.url, 'weir chaos administrator');
  try {
    await client.query(
      `set statement_timeout = 0; set default_transaction_read_only = off; set idle_in_transaction_session_timeout = 0`,
    );
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** One session of the harness's; its name keeps it from being ended with the workers'. */
export async function openSession(url: string, applicationName: string): Promise<Client> {
  const client = new Client(clientConfig({ url, applicationName }));
  // A server that dies under it is part of some faults.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Ends all sessions but the harness's own, as after a change of a role's settings: only new sessions have them. How many. */
export async function endSessions(administrator: Administrator): Promise<number> {
  const { rowCount } = await administrator.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where backend_type = 'client backend' and application_name not like 'weir chaos%'`,
  );
  return rowCount ?? 0;
}

/** Runs `work` while new sessions of the role have this setting; every session begins anew before and after. */
export async function withRoleSetting(
  administrator: Administrator,
  { name, value }: { readonly name: string; readonly value: string },
  work: () => Promise<void>,
): Promise<void> {
  await administrator.query(`alter role current_user set ${name} = '${value}'`);
  try {
    await endSessions(administrator);
    await work();
  } finally {
    await administrator.query(`rollback; alter role current_user reset ${name}`);
    await endSessions(administrator);
  }
}
