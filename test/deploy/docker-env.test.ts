// The script that makes .env: passwords of one's own, for nobody else to read, and never over those that are in use.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { ROOT, composeText } from './compose-file.ts';

const SCRIPT = join(ROOT, 'scripts', 'docker-env.sh');

function freshFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-env-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, '.env');
}

function variablesIn(file: string): Map<string, string> {
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Map(
    lines.filter((line) => /^\w+=/.test(line)).map((line) => [line.replace(/=.*/, ''), line.replace(/^\w+=/, '')]),
  );
}

test('it sets every variable that the compose file requires, each to a secret of its own that only the owner can read', () => {
  const file = freshFile();
  execFileSync('sh', [SCRIPT, file]);
  const made = variablesIn(file);
  const required = new Set([...composeText().matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name));
  expect(new Set(made.keys())).toEqual(required);
  expect(new Set(made.values()).size).toBe(made.size);
  // What a URL, a shell and an environment file take as it is.
  for (const value of made.values()) expect(value).toMatch(/^[\w]{22,48}$/);
  expect(Buffer.from(made.get('KAFKA_CLUSTER_ID') ?? '', 'base64url')).toHaveLength(16);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a file that is there is left as it is', () => {
  const file = freshFile();
  writeFileSync(file, 'POSTGRES_PASSWORD=in-use\n');
  const { status, stderr } = spawnSync('sh', [SCRIPT, file], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('exists and stays as it is');
  expect(readFileSync(file, 'utf8')).toBe('POSTGRES_PASSWORD=in-use\n');
});
