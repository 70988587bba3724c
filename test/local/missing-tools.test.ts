import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { isAtLeast, parseVersion } from '../../local/machine.ts';
import { missingTools } from '../../local/missing-tools.ts';
import { startStack } from '../../local/stack.ts';
import { StackError } from '../../local/stack-error.ts';
import { readyTemporal } from '../../local/temporal-program.ts';
import { temporaryHome } from './temporary-home.ts';

const home = temporaryHome();
const tools = join(home.path, 'tools');
mkdirSync(tools);

beforeEach(() => {
  vi.stubEnv('PATH', tools);
  vi.stubEnv('JAVA_HOME', '');
  vi.stubEnv('XDG_CACHE_HOME', join(home.path, 'cache'));
});

afterEach(() => {
  vi.unstubAllEnvs();
});

function installTool(name: string, says: string): void {
  const path = join(tools, name);
  writeFileSync(path, `#!/bin/sh\necho '${says}'\n`);
  chmodSync(path, 0o755);
}

test('each missing tool is one sentence that names what to install and which variable avoids it', () => {
  const sentences = missingTools({ kafka: true, postgres: true, temporal: true });
  expect(sentences).toEqual([
    expect.stringMatching(/no java on PATH: install a JDK 17, or set WEIR_KAFKA_BROKERS/),
    expect.stringMatching(/no mvn on PATH: install Maven, or set WEIR_KAFKA_BROKERS/),
    expect.stringMatching(/no go on PATH: install Go, .* or set WEIR_TEMPORAL_ADDRESS/),
  ]);
});

test('a server that an address replaces needs no tool', () => {
  expect(missingTools({ kafka: false, postgres: false, temporal: false })).toEqual([]);
});

test('a start without the tools says so at once and starts nothing', async () => {
  const reports: string[] = [];
  const start = startStack({ home: home.path, ports: 'any', report: (line) => reports.push(line) });
  await expect(start).rejects.toThrow(StackError);
  expect(reports).toEqual([]);
});

test('a tool that is too old is named with its version', () => {
  installTool('java', 'openjdk version "11.0.2" 2019-01-15');
  installTool('mvn', 'Apache Maven 3.8.7');
  installTool('go', 'go version go1.26.3 linux/amd64');
  const sentences = missingTools({ kafka: true, postgres: false, temporal: true });
  expect(sentences).toEqual([
    expect.stringMatching(/java is 11\.0\.2: install a JDK 17/),
    expect.stringMatching(/go is 1\.26\.3: install a newer Go/),
  ]);
});

test.each([
  ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', true],
  ['temporal version 1.4.2 (Server 1.28.0, UI 2.39.0)', false],
  ['temporal version 0.0.0-DEV (Server 1.31.2, UI 2.50.1)', true],
])('%s on PATH is used: %s', (says, used) => {
  installTool('temporal', says);
  expect(readyTemporal() !== null).toBe(used);
});

test.each([
  ['openjdk version "17.0.15" 2025-04-15', [17, 0, 15]],
  ['openjdk version "21" 2023-09-19', [21, 0, 0]],
  ['go version go1.26.8 linux/amd64', [1, 26, 8]],
  ['go version go1.27 linux/amd64', [1, 27, 0]],
])('the version in %j is read', (text, version) => {
  expect(parseVersion(text)).toEqual(version);
});

test('versions are compared as numbers', () => {
  expect(isAtLeast([1, 26, 10], [1, 26, 4])).toBe(true);
  expect(isAtLeast([1, 26, 3], [1, 26, 4])).toBe(false);
  expect(isAtLeast([2, 0, 0], [1, 26, 4])).toBe(true);
});
