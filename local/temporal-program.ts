// The `temporal` program, which is server, Web UI and client in one: taken from PATH, else built once with Go.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { buildOnce, fingerprint } from './build-once.ts';
import { cacheFolder, findTool, isAtLeast, parseVersion, toolVersion } from './machine.ts';
import { runTool } from './run-tool.ts';
import { StackError } from './stack-error.ts';

const MODULE = fileURLToPath(new URL('temporal/', import.meta.url));
const CLI_VERSION = '1.8.2';
const OLDEST_GO = [1, 26, 4] as const;
const OLDEST_CLI = [1, 5, 0] as const;
/** The server inside the oldest usable program: one built from source calls itself 0.0.0-DEV and names only its server. */
const OLDEST_SERVER = [1, 29, 0] as const;

/** The program to run; builds it the first time when PATH has none that is new enough (about 5 minutes). Throws StackError. */
export async function ensureTemporal(report: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const ready = readyTemporal();
  if (ready !== null) return ready;
  const what = `Go builds Temporal ${CLI_VERSION} (once, about 5 minutes)`;
  const folder = await buildOnce({ folder: builtFolder(), what, report, signal }, async (unfinished) => {
    const go = findGo();
    report(what);
    await runTool({
      what,
      command: go,
      args: [
        'build',
        '-trimpath',
        '-ldflags',
        '-s -w',
        '-o',
        join(unfinished, 'temporal'),
        'github.com/temporalio/cli/cmd/temporal',
      ],
      folder: MODULE,
      // A workspace or a vendor flag of the user's own projects must not reach this build.
      environment: { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' },
      logFile: join(cacheFolder(), 'logs', 'go-build.log'),
      report,
      signal,
    });
  });
  return join(folder, 'temporal');
}

/** A usable program that is there already (on PATH, or built earlier), or null. */
export function readyTemporal(): string | null {
  const onPath = findTool('temporal');
  if (onPath !== null && isNewEnough(onPath)) return onPath;
  const built = join(builtFolder(), 'temporal');
  return existsSync(built) ? built : null;
}

/** The path of a Go that can build Temporal. Throws StackError with what to install. */
export function findGo(): string {
  const go = findTool('go');
  const instead = 'or put temporal 1.5 or newer on PATH, or set WEIR_TEMPORAL_ADDRESS to a running Temporal';
  if (go === null) {
    throw new StackError(
      `Temporal is built with Go 1.26.4 or newer and there is no go on PATH: install Go, ${instead}.`,
    );
  }
  const version = toolVersion(go, ['version']);
  if (version === null || !isAtLeast(version, OLDEST_GO)) {
    throw new StackError(
      `Temporal is built with Go 1.26.4 or newer and ${go} is ${version?.join('.') ?? 'of no known version'}: install a newer Go, ${instead}.`,
    );
  }
  return go;
}

function builtFolder(): string {
  return join(
    cacheFolder(),
    `temporal-${CLI_VERSION}-${fingerprint([join(MODULE, 'go.mod'), join(MODULE, 'go.sum')])}`,
  );
}

function isNewEnough(program: string): boolean {
  const said = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 20_000 }).stdout ?? '';
  const own = parseVersion(said);
  const server = parseVersion(/Server ([\d.]+)/.exec(said)?.[1] ?? '');
  return (own !== null && isAtLeast(own, OLDEST_CLI)) || (server !== null && isAtLeast(server, OLDEST_SERVER));
}
