// On what a figure was measured: machine, versions, PostgreSQL's settings. All of it is asked, nothing is written down here.
import { arch, cpus, release, totalmem } from 'node:os';

import type { Client } from '@temporalio/client';

import type { Queryable } from '../postgres/pool.ts';
import { openFiles } from './process-cpu.ts';

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
};

export type Versions = {
  readonly node: string;
  readonly postgres: string;
  readonly temporal: string | null;
  readonly kafka: string | null;
};

/** This machine. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${process.platform} ${release()} ${arch()}`,
  };
}

/** Versions of what took part. The broker tells no version; the jar it runs from does, where it runs on this machine. */
export async function readVersions(
  db: Queryable,
  { client, brokerPid }: { client: Client; brokerPid: number | null },
): Promise<Versions> {
  const { rows } = await db.query<{ version: string }>(`select current_setting('server_version') as version`);
  const { serverVersion } = await client.connection.workflowService.getSystemInfo({});
  const files = brokerPid === null ? [] : openFiles(brokerPid);
  const kafka = files.flatMap((file) => /\/kafka_[\d.]+-([\d.]+)\.jar$/.exec(file)?.[1] ?? [])[0];
  return {
    node: process.version,
    postgres: rows[0]?.version ?? 'unknown',
    temporal: serverVersion ?? null,
    kafka: kafka ?? null,
  };
}

/** Every setting of PostgreSQL that somebody set, without those that only say where files and sockets are. */
export async function readPostgresSettings(db: Queryable): Promise<Record<string, string>> {
  const { rows } = await db.query<{ name: string; value: string }>(
    `select name, current_setting(name) as value from pg_settings
      where source not in ('default', 'client', 'session', 'override')
        and category not like 'File Locations' and category not like 'Reporting and Logging%'
        and category not like 'Client Connection Defaults / Locale%'
        and category not like 'Connections and Authentication%' or name = 'synchronous_commit' or name = 'fsync'
      order by name`,
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}
