// Opens what a command needs and closes it again, whatever happens in between.
import type pg from 'pg';

import type { Settings } from '../pipeline/settings.ts';
import { openPool } from '../postgres/pool.ts';
import { addressesOf } from './addresses.ts';
import { openControl } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';

/** Runs `work` with a connection to Temporal. */
export async function withControl<T>(settings: Settings, work: (control: Control) => Promise<T>): Promise<T> {
  const { address } = addressesOf(settings).temporal;
  const control = await openControl({ address, namespace: settings.temporalNamespace });
  try {
    return await work(control);
  } finally {
    await control.close();
  }
}

/** Runs `work` with a small pool of connections to PostgreSQL. */
export async function withPool<T>(settings: Settings, work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  const pool = openPool({ url: addressesOf(settings).postgres.url, max: 3, applicationName: 'weir cli' });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}
