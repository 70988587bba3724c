import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

import { afterEach, expect, test } from 'vitest';

import { logFile, processFile } from '../../local/home-folder.ts';
import { identify, isAlive } from '../../local/process-identity.ts';
import { runningServer, startServer, stopServer } from '../../local/server-process.ts';
import type { ServerLaunch } from '../../local/server-process.ts';
import { StackError } from '../../local/stack-error.ts';
import { must } from '../../pipeline/ensure.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryHome } from './temporary-home.ts';

const home = temporaryHome();
const LISTENING = 'process.on("SIGTERM", () => process.exit(0)); console.log("ready"); setInterval(() => {}, 1000);';
const DEAF = 'process.on("SIGTERM", () => {}); console.log("ready"); setInterval(() => {}, 1000);';

function launchOf(script: string, changes: Partial<ServerLaunch> = {}): ServerLaunch {
  return {
    name: 'kafka',
    command: process.execPath,
    args: ['-e', script],
    folder: home.path,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5_000,
    startDeadlineMs: 20_000,
    isHealthy: () => Promise.resolve(readFileSync(logFile(home, 'kafka'), 'utf8').endsWith('ready\n')),
    ...changes,
  };
}

afterEach(async () => {
  await stopServer(home, 'kafka');
  writeFileSync(logFile(home, 'kafka'), '');
});

test('a started server is known by its id and stopped by its own signal', async () => {
  await startServer(home, launchOf(LISTENING));
  const { pid } = must(runningServer(home, 'kafka'), 'the server runs');
  const identity = must(identify(pid), 'its process lives');
  expect(await stopServer(home, 'kafka')).toBe(true);
  expect(isAlive(identity)).toBe(false);
  expect(runningServer(home, 'kafka')).toBeNull();
});

test('a server that runs already is not started twice', async () => {
  await startServer(home, launchOf(LISTENING));
  const first = runningServer(home, 'kafka');
  await startServer(home, launchOf(LISTENING));
  expect(runningServer(home, 'kafka')).toEqual(first);
});

test('a server deaf to its signal is killed after the grace', async () => {
  await startServer(home, launchOf(DEAF, { stopGraceMs: 300 }));
  const { pid } = must(runningServer(home, 'kafka'), 'the server runs');
  expect(await stopServer(home, 'kafka')).toBe(true);
  expect(identify(pid)).toBeNull();
});

test('a server is a session of its own, so that the terminal cannot interrupt it', async () => {
  await startServer(home, launchOf(LISTENING));
  const { pid } = must(runningServer(home, 'kafka'), 'the server runs');
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  expect({ group: fields[2], session: fields[3] }).toEqual({ group: String(pid), session: String(pid) });
});

test('a file whose process id was recycled neither counts as running nor gets its stranger stopped', async () => {
  const stranger = spawn(process.execPath, ['-e', LISTENING], { stdio: 'ignore' });
  try {
    const identity = must(identify(must(stranger.pid, 'it was started')), 'it lives');
    const record = { ...identity, startedAt: 'earlier', stopSignal: 'SIGTERM', stopGraceMs: 100, home: home.path };
    writeFileSync(processFile(home, 'kafka'), JSON.stringify(record));
    expect(runningServer(home, 'kafka')).toBeNull();
    expect(await stopServer(home, 'kafka')).toBe(false);
    expect(isAlive(identity)).toBe(true);
  } finally {
    stranger.kill();
  }
});

test('a file copied from another home does not let this one stop that home s server', async () => {
  await startServer(home, launchOf(LISTENING));
  const copy = readFileSync(processFile(home, 'kafka'), 'utf8').replace(home.path, '/another/home');
  const original = readFileSync(processFile(home, 'kafka'), 'utf8');
  writeFileSync(processFile(home, 'kafka'), copy);
  expect(await stopServer(home, 'kafka')).toBe(false);
  writeFileSync(processFile(home, 'kafka'), original);
  expect(runningServer(home, 'kafka')).not.toBeNull();
});

test('a server that ends while starting is reported with the line of its log that tells why', async () => {
  const failing = launchOf('console.log("one"); console.error("ERROR the disk is full"); process.exit(1)');
  await expect(startServer(home, failing)).rejects.toThrow(/Kafka ended while it was starting.*ERROR the disk is full/);
});

test('a server that ends once is tried again when its launch says so', async () => {
  const mark = `${home.path}/tried`;
  const script = `const fs = require('fs'); if (!fs.existsSync('${mark}')) { fs.writeFileSync('${mark}', ''); process.exit(1); } ${LISTENING}`;
  await startServer(home, launchOf(script, { retries: 1 }));
  expect(runningServer(home, 'kafka')).not.toBeNull();
});

test('a server that never answers is given up at the deadline', async () => {
  const silent = launchOf(LISTENING, { startDeadlineMs: 300, isHealthy: () => Promise.resolve(false) });
  await expect(startServer(home, silent)).rejects.toThrow('Kafka did not answer within 0.3 s');
});

test('a program that does not exist is one sentence', async () => {
  const absent = launchOf('', { command: '/nowhere/kafka' });
  await expect(startServer(home, absent)).rejects.toThrow(StackError);
});

test('an interrupted start stops waiting', async () => {
  const interruption = new AbortController();
  const start = startServer(
    home,
    launchOf(LISTENING, { isHealthy: () => Promise.resolve(false) }),
    interruption.signal,
  );
  await eventually(() => runningServer(home, 'kafka'), { deadlineMs: 5_000, what: 'the server process lives' });
  interruption.abort();
  await expect(start).rejects.toThrow(/abort/i);
});
