// What a worker process says of itself: its build, its health, its connections, and the disk that it stands on.
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

import type { HealthRecord } from './health-record.ts';
import type { Makers, Reading } from './metric-makers.ts';
import { WORKER_METRICS } from './process-metric-list.ts';

/** `waiting`: those who wait for a connection. */
export const CONNECTION_STATES = ['idle', 'busy', 'waiting'] as const;

/** A pool of connections to PostgreSQL, such as that of `pg`; `waitingCount`: those who wait for a connection. */
type Pool = { readonly totalCount: number; readonly idleCount: number; readonly waitingCount: number };

/** Each shows from here on what the given thing says whenever Prometheus asks. */
export type WorkerMetrics = {
  showHealth(figures: HealthRecord['figures']): void;
  showPool(pool: Pool): void;
  /** The file system that holds the folder `home`. */
  showDisk(home: string): void;
};

export function workerMetrics(make: Makers): WorkerMetrics {
  let health: HealthRecord['figures'] | null = null;
  let pool: Pool | null = null;
  let home: string | null = null;
  make.gauge(WORKER_METRICS.buildInfo).set({ version: versionOfWeir(), node: process.version }, 1);
  make.reading(WORKER_METRICS.workerReady, () => [[{}, Number(health?.().ready ?? false)]]);
  make.reading(WORKER_METRICS.dependencyUp, () =>
    Array.from(health?.().servers ?? [], ([dependency, isUp]): Reading => [{ dependency }, Number(isUp)]),
  );
  make.reading(WORKER_METRICS.postgresConnections, () => (pool === null ? [] : connectionsOf(pool)));
  make.reading(WORKER_METRICS.diskFree, async () => [[{}, (await diskOf(home))?.free ?? null]]);
  make.reading(WORKER_METRICS.diskSize, async () => [[{}, (await diskOf(home))?.size ?? null]]);
  return {
    showHealth(figures) {
      health = figures;
    },
    showPool(of) {
      pool = of;
    },
    showDisk(of) {
      home = of;
    },
  };
}

function connectionsOf({ totalCount, idleCount, waitingCount }: Pool): Reading[] {
  const byState = { idle: idleCount, busy: totalCount - idleCount, waiting: waitingCount };
  return CONNECTION_STATES.map((state) => [{ state }, byState[state]]);
}

/** Bytes; free for those who are not root. Null where the folder is not there: a worker alone on its machine may have none. */
async function diskOf(home: string | null): Promise<{ free: number; size: number } | null> {
  if (home === null) return null;
  try {
    const { bavail, blocks, bsize } = await statfs(home);
    return { free: bavail * bsize, size: blocks * bsize };
  } catch {
    return null;
  }
}

function versionOfWeir(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return version;
}
