// docker-compose.yml loaded by the library that Docker Compose loads it with, and a .env that scripts/docker-env.sh made.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { buildOnce, fingerprint } from '../../local/build-once.ts';
import { cacheFolder, findTool, toolEnvironment } from '../../local/machine.ts';
import { ROOT } from './compose-file.ts';

const MODULE = fileURLToPath(new URL('compose-config/', import.meta.url));
const go = findTool('go');

type Resolved = {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly ports?: readonly { readonly host_ip?: string; readonly published?: string; readonly target: number }[];
        readonly environment?: Readonly<Record<string, string>>;
        readonly read_only?: boolean;
      }
    >
  >;
};

/** Built once a machine: half a minute with an empty cache of Go's. */
async function builtLoader(command: string): Promise<string> {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => join(MODULE, name));
  const what = 'Go builds the loader of compose files';
  const folder = join(cacheFolder(), `compose-config-${fingerprint(sources)}`);
  await buildOnce({ folder, what, report: () => {} }, async (unfinished) => {
    await promisify(execFile)(command, ['build', '-o', join(unfinished, 'compose-config'), '.'], {
      cwd: MODULE,
      env: toolEnvironment({ CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' }),
    });
  });
  return join(folder, 'compose-config');
}

describe.skipIf(go === null)('loaded as Docker Compose does (needs Go, which is not on PATH)', () => {
  let loader = '';
  beforeAll(async () => {
    loader = await builtLoader(go ?? '');
  }, 600_000);

  function load(environmentFile: string): Resolved {
    return JSON.parse(
      execFileSync(loader, [join(ROOT, 'docker-compose.yml'), environmentFile], { encoding: 'utf8', stdio: 'pipe' }),
    );
  }

  function freshEnvironmentFile(): string {
    const folder = mkdtempSync(join(tmpdir(), 'weir-env-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, '.env');
    execFileSync('sh', [join(ROOT, 'scripts', 'docker-env.sh'), file]);
    return file;
  }

  test('it loads, and what merges and variables amount to is closed to the outside', () => {
    const services = Object.entries(load(freshEnvironmentFile()).services);
    expect(services.map(([name]) => name)).toContain('worker');
    for (const [name, service] of services) {
      expect(service.read_only, name).toBe(true);
      for (const port of service.ports ?? []) expect(port, name).toMatchObject({ host_ip: '127.0.0.1' });
    }
  });

  test('workers and the owner get URLs that are whole', () => {
    const { services } = load(freshEnvironmentFile());
    for (const [name, user] of Object.entries({ worker: 'weir_worker', migrate: 'weir_owner', weir: 'weir_worker' })) {
      const url = new URL(services[name]?.environment?.['WEIR_POSTGRES_URL'] ?? '');
      expect([url.username, url.host, url.pathname]).toEqual([user, 'postgres:5432', '/weir']);
      expect(url.password).toMatch(/^[\da-f]{48}$/);
    }
  });

  test('without .env it says what to do', () => {
    expect(() => load('/dev/null')).toThrow(/POSTGRES_PASSWORD is missing a value: run scripts\/docker-env\.sh first/);
  });
});
