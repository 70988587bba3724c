// One real Temporal server with its Web UI, on 127.0.0.1, its state in one SQLite file.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { dataFolder } from './home-folder.ts';
import type { LaunchRequest } from './kafka-server.ts';
import type { ServerLaunch } from './server-process.ts';
import { temporalState } from './temporal-health.ts';
import { ensureTemporal } from './temporal-program.ts';

/** What the workflows' namespace is called unless somebody names another. */
export const USUAL_NAMESPACE = 'default';

/** Everything needed to start the server; builds the program the first time. Throws StackError. */
export async function temporalLaunch(request: LaunchRequest & { readonly namespace: string }): Promise<ServerLaunch> {
  const { home, ports, report, signal, namespace } = request;
  const command = await ensureTemporal(report, signal);
  const folder = dataFolder(home, 'temporal');
  mkdirSync(folder, { recursive: true });
  const database = join(folder, 'temporal.db');
  const completed = join(folder, 'started-once');
  // The server makes its tables only when the file is absent: one that a first, interrupted start left would stay half made.
  if (!existsSync(completed)) rmSync(database, { force: true });
  const address = `127.0.0.1:${ports.temporal}`;
  return {
    name: 'temporal',
    command,
    args: [
      'server',
      'start-dev',
      // Relative to its folder: the server writes the path into a URL, where a "?" or "%" of a folder's name would end it.
      '--db-filename=temporal.db',
      `--namespace=${USUAL_NAMESPACE}`,
      // Without these every step of a workflow waits for two flushes; a killed server still loses nothing.
      '--sqlite-pragma=journal_mode=wal',
      '--sqlite-pragma=synchronous=normal',
      '--ip=127.0.0.1',
      `--port=${ports.temporal}`,
      `--ui-port=${ports.temporalUi}`,
      '--log-level=warn',
    ],
    folder,
    stopSignal: 'SIGTERM',
    stopGraceMs: 20_000,
    startDeadlineMs: 90_000,
    isHealthy: async () => {
      const state = await temporalState(address, namespace);
      // Made here and not at the start, because the server may be running since before somebody wanted this namespace.
      if (state === 'no-namespace') {
        spawnSync(command, ['operator', 'namespace', 'create', '--namespace', namespace, '--address', address]);
      }
      if (state !== 'ready') return false;
      writeFileSync(completed, '');
      return true;
    },
  };
}
