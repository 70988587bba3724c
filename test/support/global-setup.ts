// Gives every test file the addresses of real servers: those the environment names, else started here and stopped afterwards.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { TestProject } from 'vitest/node';

import { resetStack, startStack } from '../../local/stack.ts';
import type { Servers } from './servers.ts';

/** Starts what the environment does not name, in a home of its own; answers how to stop it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { WEIR_KAFKA_BROKERS, WEIR_POSTGRES_URL, WEIR_TEMPORAL_ADDRESS } = process.env;
  const home = mkdtempSync(join(tmpdir(), 'weir-test-'));
  // PostgreSQL's own user has to pass through when root runs the tests.
  chmodSync(home, 0o755);
  guard(home);
  const teardown = async (): Promise<void> => {
    await resetStack({ home });
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const addresses = await startStack({
      home,
      ports: 'any',
      kafkaBrokers: WEIR_KAFKA_BROKERS ? WEIR_KAFKA_BROKERS.split(',') : null,
      postgresUrl: WEIR_POSTGRES_URL || null,
      temporalAddress: WEIR_TEMPORAL_ADDRESS || null,
      report: (line) => process.stderr.write(`${line}\n`),
    });
    const servers: Servers = {
      kafkaBrokers: addresses.kafka.brokers,
      postgresUrl: addresses.postgres.url,
      temporalAddress: addresses.temporal.address,
    };
    project.provide('servers', servers);
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

function guard(home: string): void {
  const guardian = fileURLToPath(new URL('server-guardian.ts', import.meta.url));
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const args = ['--import', 'tsx', guardian, home, String(process.pid)];
  spawn(process.execPath, args, { cwd: root, detached: true, stdio: 'ignore' }).unref();
}
