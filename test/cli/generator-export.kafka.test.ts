// `weir generator export` and `stats`: the bytes that a real broker gets, whole or not at all, and what they amount to.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';

import { createProduceEvents } from '../../activities/produce-events.ts';
import type { ProduceInput } from '../../activities/produce-events.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { initialGeneratorState } from '../../workflows/generator-state.ts';
import { brokers, freshTopic, readWholeTopic } from '../generator/generator-world.ts';
import { eventually } from '../support/eventually.ts';
import { runWeir } from './run-weir.ts';

const WEIR = fileURLToPath(new URL('../../cli/weir.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'weir-export-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

const START = '2026-01-01T18:00:00Z';
const COUNT = 12_000;
const SHARES = { disorder: 0.05, late: 0.01, duplicates: 0.02, duplicatesElsewhere: 0.01, malformed: 0.03 };
const FLAGS = (
  `--seed 7 --start-time ${START} --count ${COUNT} --rate 300 --profile daily --disorder 0.05 --late 0.01 ` +
  '--duplicates 0.02 --duplicates-elsewhere 0.01 --malformed 0.03'
).split(' ');

/** Lines as bytes; each byte a character. */
const linesOf = (bytes: Buffer): string[] => bytes.toString('latin1').split('\n').slice(0, -1);

test('an export holds the bytes that Kafka gets for the same seed and settings, in each partition in that order', async () => {
  const file = path('events.jsonl');
  const exported = await runWeir(['generator', 'export', ...FLAGS, '--out', file]);
  expect(exported).toMatchObject({ code: 0, stderr: '' });
  expect(exported.stdout).toMatch(
    /events\.jsonl: 12,000 messages, \d\.\d MB, in \S+ s: 300\/s, daily, .*seed 7, from 2026/,
  );

  const startTimeMs = Date.parse(START);
  const given = { seed: 7, count: COUNT, rate: 300, profile: 'daily', startTimeMs, ...SHARES } as const;
  const spec = createGeneratorSpec({ topic: await freshTopic(), ...given });
  const metrics = openMetrics({ processMetrics: false }).generator;
  const input: ProduceInput = {
    spec,
    segment: initialGeneratorState(spec, Date.now()).segment,
    fromIndex: 0,
    toIndex: COUNT,
    leaseMs: 60_000,
    maxBehindMs: null,
  };
  await new MockActivityEnvironment().run(createProduceEvents({ kafkaBrokers: brokers(), metrics }), input);
  const lines = linesOf(readFileSync(file));
  const sent = (await readWholeTopic(spec.topic)).map(({ value }) => value?.toString('latin1') ?? '');
  expect(sent).toHaveLength(COUNT);
  expect(sent.toSorted()).toEqual(lines.toSorted());
  const placeOf = new Map<string, number>();
  for (const [place, line] of lines.entries()) if (!placeOf.has(line)) placeOf.set(line, place);
  // Messages stand in the topic partition by partition: within one the file's order never turns but for what comes again.
  const places = [...new Set(sent)].map((value) => placeOf.get(value) ?? -1);
  const turns = places.filter((place, nth) => place < (places[nth - 1] ?? -1)).length;
  expect(turns).toBeLessThan(3);

  const { stdout } = await runWeir(['generator', 'export', ...FLAGS, '--out', '-']);
  expect(stdout).toBe(readFileSync(file, 'utf8'));

  const stats = await runWeir(['generator', 'stats', file, '--json']);
  expect(stats).toMatchObject({ code: 0, stderr: '' });
  const told = JSON.parse(stats.stdout);
  expect(told).toMatchObject({ file, messages: COUNT });
  expect(told.events + told.duplicates + told.malformed).toBe(COUNT);
  expect(new Set(lines).size).toBeLessThanOrEqual(COUNT - told.duplicates);
  expect(Math.abs(told.malformed / COUNT - 0.03)).toBeLessThan(0.006);
  expect(Math.abs(told.duplicates / COUNT - 0.03)).toBeLessThan(0.001);
  const text = (await runWeir(['generator', 'stats', file])).stdout;
  expect(text).toMatch(/^12,000 messages, \d\.\d MB: 11,\d{3} events, \d{3} duplicates, \d{3} malformed\.\n/);
  for (const part of [
    'page_view',
    'of the step before',
    'events in session',
    'behind the newest',
    'duplicates',
    'not_json',
  ])
    expect(text).toContain(part);
  expect(text).toMatch(/ page_view +\S+ +3\d\.\d +#{30}/);
});

test('an interrupted export leaves nothing behind, and what was there before untouched', async () => {
  writeFileSync(path('kept.jsonl'), 'before\n');
  const args = [WEIR, 'generator', 'export', '--count', '100000000', '--out', path('kept.jsonl'), '--force'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const ended = new Promise((resolve) => {
    child.on('close', resolve);
  });
  const isWriting = (): boolean => readdirSync(folder).some((name) => name.endsWith('.partial'));
  await eventually(isWriting, { deadlineMs: 50_000, what: 'a file in the making' });
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(said).toMatch(/^Interrupted after [\d,]+ of 100,000,000 messages; .*kept\.jsonl is not written\.\n$/);
  expect(readFileSync(path('kept.jsonl'), 'utf8')).toBe('before\n');
  expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
});

test.each([
  ['a file that is there already', ['--out', WEIR], /weir\.js is there already; --force replaces it/],
  ['a folder', ['--out', tmpdir()], /is a folder; name a file in it/],
  ['a folder that is not there', ['--out', path('nowhere/x.jsonl')], /x\.jsonl cannot be written: ENOENT/],
])('%s is refused in a sentence', async (_what, args, sentence) => {
  const { code, stdout, stderr } = await runWeir(['generator', 'export', '--count', '5', ...args]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(sentence);
});

test('an export without an end, or with two things for one output, is refused', async () => {
  const endless = await runWeir(['generator', 'export', '--out', '-']);
  expect(endless).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Say where the export ends') });
  const both = await runWeir(['generator', 'export', '--count', '5', '--out', '-', '--json']);
  expect(both).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('both want standard output') });
});

test('any lines can be counted: empty, broken, endless, without a last line end', () => {
  const good = execFileSync(process.execPath, [WEIR, 'generator', 'export', '--count', '3', '--out', '-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [one = '', two = '', three = ''] = linesOf(good);
  const input = ['{', one, '', `"${'x'.repeat(3_000_000)}"`, `${two}\r`, 'null', one, three].join('\n');
  const ended = spawnSync(process.execPath, [WEIR, 'generator', 'stats', '-', '--json'], { input, encoding: 'utf8' });
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  const told = JSON.parse(ended.stdout);
  expect(told).toMatchObject({ messages: 8, events: 3, duplicates: 1, malformed: 4, repeated: [{}, { count: 1 }, {}] });
  const reasons = told.reasons.map(({ reason }: { reason: string }) => reason);
  expect(reasons.toSorted()).toEqual(['empty_value', 'not_an_object', 'not_json', 'too_large']);
  const empty = spawnSync(process.execPath, [WEIR, 'generator', 'stats', '-'], { input: '', encoding: 'utf8' });
  expect(empty.stdout).toBe('0 messages, 0.0 MB: 0 events, 0 duplicates, 0 malformed.\n');
});

test('a file that is not there is a usage error', async () => {
  const { code, stderr } = await runWeir(['generator', 'stats', path('none.jsonl')]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/none\.jsonl cannot be read: ENOENT.*; name a file of JSON lines, or - for standard input/);
});

test('a preview tells the same events as the export, and what is wrong with them', async () => {
  const shown = ['generator', 'preview', ...FLAGS, '--events', '400'];
  const { stdout } = await runWeir([...shown, '--json']);
  const { seed, messages } = JSON.parse(stdout);
  const exported = linesOf(
    execFileSync(process.execPath, [WEIR, 'generator', 'export', ...FLAGS, '--out', '-'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 2 ** 26,
    }),
  );
  expect(seed).toBe(7);
  expect(messages).toHaveLength(400);
  const plain = messages.filter(({ trouble }: { trouble: string }) => trouble === '');
  expect(plain.every(({ value }: { value: string }) => exported.includes(Buffer.from(value).toString('latin1')))).toBe(
    true,
  );
  const troubles = messages.map(({ trouble }: { trouble: string }) => trouble).join('\n');
  for (const kind of [/malformed: \w+/, /the same again/, /tells of \S+ ago/]) expect(troubles).toMatch(kind);
  const text = (await runWeir(shown)).stdout;
  expect(text).toMatch(/ due +user +session +event +what +trouble/);
  expect(text).toMatch(
    /\n400 messages: 300\/s, daily, 12,000 messages, seed 7, from 2026-01-01T18:00:00\.000Z; 5 % out of order, 2 % twice, 1 % again in another partition, 3 % malformed, 1 % late\.\n$/,
  );
});
