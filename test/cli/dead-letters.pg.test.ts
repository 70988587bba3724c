// The commands of dead letters as people type them: lists and counts, one letter with its fault marked, giving up.
import { afterEach, describe, expect, inject, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { freshDatabase } from '../support/database.ts';
import { insertLetters, insertManyLetters } from '../support/letters.ts';
import type { StoredLetter } from '../support/letters.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { HAS_TERMINAL, answerWeir } from './on-terminal.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const { pool, schema } = await freshDatabase();
const env = {
  WEIR_HOME: EMPTY_HOME,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  WEIR_SCHEMA: schema,
};

afterEach(async () => {
  await pool.query(`truncate "${schema}".dead_letters restart identity`);
});

async function letters(...words: string[]): Promise<Ended> {
  return await runWeir(['dead-letters', ...words], env);
}

async function linesOf(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await letters(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').map((line) => line.trimEnd());
}

/** A letter as ingestion writes it of this value. */
function refused(value: Buffer | string, rest: StoredLetter = {}): StoredLetter {
  const bytes = Buffer.from(value);
  const { rejection } = parseMessage(messageOf(0, bytes), { maxFutureMs: 300_000, retentionMs: null });
  const { reason, field, detail } = must(rejection, 'a value that is refused');
  return { value: bytes, reason, field, detail, ...rest };
}

describe('weir dead-letters list', { timeout: 180_000 }, () => {
  test('shows the newest first, page by page, and says how to go on', async () => {
    await insertManyLetters(pool, schema, 30);
    const first = await linesOf('list', '--limit', '2', '--reason', 'not_json');
    expect(first[1]).toMatch(/^ 30 +2026-11-01T00:30:00Z +2\/1000030 +page_view +not_json +open +33 +letter 30$/);
    expect(first[2]).toMatch(/^ 27 /);
    expect(first.at(-2)).toBe('There are more: the same with --after 27 shows the next page, --by reason counts them.');
    const second = await linesOf('list', '--limit', '2', '--reason', 'not_json', '--after', '27');
    expect(second[1]).toMatch(/^ 24 /);
    const last = await linesOf('list', '--oldest', '--after', '29');
    expect(last.filter(Boolean)).toHaveLength(2);
  });

  test('gives programs the same with the number that begins the next page', async () => {
    await insertManyLetters(pool, schema, 3);
    const { stdout } = await letters('list', '--json', '--limit', '2');
    expect(JSON.parse(stdout)).toMatchObject({
      letters: [
        { id: '3', partition: 3, offset: '1000003', reason: 'not_json', status: 'open', attempt: 1, parent: null },
        { id: '2', type: 'page_view', refusedAt: '2026-11-01T00:02:00.000Z' },
      ],
      next: '2',
    });
    expect(JSON.parse((await letters('list', '--json', '--after', '2')).stdout)).toMatchObject({ next: null });
  });

  test('counts by kind', async () => {
    await insertManyLetters(pool, schema, 90);
    const lines = await linesOf('list', '--by', 'field');
    expect(lines[1]).toMatch(/^ - +60 +2026-11-01T00:02:00Z +2026-11-01T01:30:00Z$/);
    expect(lines[2]).toMatch(/^ device +30 /);
    expect(lines.at(-2)).toBe('90 dead letters.');
    const { stdout } = await letters('list', '--by', 'hour', '--json', '--limit', '1');
    expect(JSON.parse(stdout)).toEqual({
      by: 'hour',
      groups: [
        {
          value: '2026-11-01T01:00Z',
          letters: 31,
          firstRefusedAt: '2026-11-01T01:00:00.000Z',
          lastRefusedAt: '2026-11-01T01:30:00.000Z',
        },
      ],
      more: true,
    });
  });

  test('says that there is none, and which filters it looked by', async () => {
    expect((await letters('list')).stdout).toBe('There are no dead letters: every message became an event.\n');
    expect((await letters('list', '--text', 'x', '--partition', '2,3')).stdout).toBe(
      'No dead letter is meant by these filters (partition 2 or 3, with the text "x").\n',
    );
  });

  test('names every filter that it does not understand', async () => {
    const { code, stdout, stderr } = await letters('list', '--reason', 'broken', '--since', 'now', '--partition', 'x');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^weir: --reason: "broken" is no reason/),
      expect.stringMatching(/^weir: --partition: "x" is no number/),
      expect.stringMatching(/^weir: --since: "now" is no time/),
    ]);
  });
});

describe('weir dead-letters show', { timeout: 180_000 }, () => {
  test('marks where JSON breaks off, line and column', async () => {
    const [id] = await insertLetters(pool, schema, [refused('{\n  "device": "mobile",\n  "price": }\n')]);
    const lines = await linesOf('show', must(id, 'id'));
    const at = lines.findIndex((line) => line.startsWith('  where'));
    expect(lines.slice(at, at + 3)).toEqual([
      '  where       line 3, column 12 (byte 35): "}" stands where a value belongs',
      '      "price": }',
      '               ^',
    ]);
    expect(lines).toContain('      "device": "mobile",');
  });

  test('marks the byte that is no UTF-8', async () => {
    const value = Buffer.concat([Buffer.from('{"device":"Kö'), Buffer.from([0xfe]), Buffer.from('ln"}')]);
    const [id] = await insertLetters(pool, schema, [refused(value)]);
    const lines = await linesOf('show', must(id, 'id'));
    const at = lines.findIndex((line) => line.startsWith('  where'));
    expect(lines.slice(at, at + 3)).toEqual([
      '  where       line 1, column 14 (byte 14): byte 0xfe',
      '    {"device":"Kö\\xfeln"}',
      `    ${' '.repeat(13)}^^^^`,
    ]);
  });

  test('marks the wrong field far inside a long line', async () => {
    const value = JSON.stringify(pageView({ duration_seconds: 'x', before: '漢'.repeat(200), device: 5 }));
    const [id] = await insertLetters(pool, schema, [refused(value.replace('"device":5', '"device": 5'))]);
    const lines = await linesOf('show', must(id, 'id'));
    expect(lines[0]).toBe(`Letter ${id}: device is 5; a text of at most 512 characters belongs there.`);
    const [text = '', marks = ''] = lines.slice(-3);
    expect(text.slice(marks.indexOf('^')).startsWith('5,')).toBe(true);
    expect(text.length).toBeLessThan(90);
  });

  test('shows place, headers, key, parent and child, and obeys no byte of them', async () => {
    const [parent] = await insertLetters(pool, schema, [{ status: 'replaced' }]);
    const [id] = await insertLetters(pool, schema, [
      refused('\u001B[2J', {
        partition: 3,
        offset: 12_345,
        key: Buffer.from('k\u0007'),
        parent: must(parent, 'parent'),
        attempt: 5,
        status: 'parked',
        headers: [
          { name: 'trace\u001B', value: Buffer.from('abc') },
          { name: 'trace', value: Buffer.from([0, 0xff]) },
          { name: 'none', value: null },
        ],
      }),
    ]);
    const { stdout } = await letters('show', must(id, 'id'));
    expect(stdout).not.toMatch(/[^\P{C}\n]/u);
    const words = stdout.split('\n').map((line) => line.trim());
    expect(words).toEqual(
      expect.arrayContaining([
        'place       partition 3, offset 12345, in Kafka since 2026-11-01T10:00:00.000Z',
        'refused     2026-11-01T10:00:00.000Z, attempt 5',
        `parent      letter ${parent}, of which this is a replay that was refused again`,
        'trace\\u{1b}: "abc"',
        'trace: 0x00ff',
        'none: null',
        'k\\u{7}',
        '\\u{1b}[2J',
      ]),
    );
    expect(stdout).toMatch(/status {6}parked, because it was refused too often/);
    const child = await linesOf('show', must(parent, 'parent'));
    expect(child.some((line) => line.includes(`child       letter ${id}: attempt 5, not_json, parked`))).toBe(true);
  });

  test('cuts a long value with a note, and dumps it in hexadecimal', async () => {
    const [id] = await insertLetters(pool, schema, [refused(`["${'x'.repeat(100_000)}"]`)]);
    const cut = await linesOf('show', must(id, 'id'));
    expect(cut).toContain('    (98,004 more bytes: --full shows them, --raw writes the exact bytes)');
    const full = await linesOf('show', must(id, 'id'), '--full');
    expect(full.some((line) => line.length > 100_000)).toBe(true);
    const hex = await linesOf('show', must(id, 'id'), '--hex');
    expect(hex).toContain('    00000000  5b 22 78 78 78 78 78 78  78 78 78 78 78 78 78 78  |["xxxxxxxxxxxxxx|');
  });

  test('gives programs every byte in base64', async () => {
    const [id] = await insertLetters(pool, schema, [refused('[1]', { key: Buffer.from([0, 0xff]) })]);
    const { stdout } = await letters('show', must(id, 'id'), '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      id,
      key: 'AP8=',
      value: 'WzFd',
      headers: [],
      fault: { line: 1, column: 1, fromByte: 0, toByte: 3 },
      status: 'open',
      children: [],
      event: null,
    });
  });

  test('says that there is no such letter', async () => {
    expect(await letters('show', '99')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `weir: There is no dead letter 99 in schema ${schema}; \`weir dead-letters list\` shows those there are.\n`,
    });
    expect((await letters('show', 'x')).stderr).toMatch(/^weir: ID: "x" is no number of a letter/);
  });
});

describe('weir dead-letters discard', { timeout: 180_000 }, () => {
  const statuses = async (): Promise<unknown[]> => {
    const { rows } = await pool.query<{ status: string; note: string | null; n: number }>(
      `select status, note, count(*)::int as n from "${schema}".dead_letters group by 1, 2 order by 1, 2`,
    );
    return rows.map(({ status, note, n }) => [status, note, n]);
  };

  test('keeps the letters, with the reason', async () => {
    await insertManyLetters(pool, schema, 9);
    const dry = await letters('discard', '--reason-text', 'a test', '--reason', 'not_json', '--dry-run');
    expect(dry).toMatchObject({ code: 0, stdout: 'Would discard 3 dead letters (3 not_json).\n' });
    expect(await statuses()).toEqual([['open', null, 9]]);
    const done = await letters('discard', '--reason-text', 'a test', '--reason', 'not_json', '--yes');
    expect(done).toMatchObject({
      code: 0,
      stdout: `Discarded 3 dead letters, kept in ${schema}.dead_letters with your reason.\n`,
    });
    expect(await statuses()).toEqual([
      ['discarded', 'a test', 3],
      ['open', null, 6],
    ]);
    const shown = await linesOf('show', '3');
    expect(shown.some((line) => /status {6}discarded since 20.*Z: a test$/.test(line))).toBe(true);
    const again = await letters('discard', '--reason-text', 'b', '--reason', 'not_json', '--yes', '--json');
    expect(JSON.parse(again.stdout)).toEqual({ wouldDiscard: 0, byReason: {}, discarded: 0 });
  });

  test('is not done unasked, without a choice, or without a reason', async () => {
    await insertManyLetters(pool, schema, 2);
    const unasked = await letters('discard', '1', '--reason-text', 'x');
    expect(unasked).toMatchObject({ code: 2, stdout: '' });
    expect(unasked.stderr).toMatch(
      /discards 1 dead letter \(1 wrong_field\) for good and nobody can be asked here; add --yes/,
    );
    expect((await letters('discard', '--reason-text', 'x', '--yes')).stderr).toMatch(/^weir: Say which dead letters/);
    expect((await letters('discard', '1', '--yes')).stderr).toMatch(/--reason-text <why>' not specified/);
    expect((await letters('discard', '1', '--yes', '--reason-text', ' ')).stderr).toMatch(/it is empty/);
    expect(await statuses()).toEqual([['open', null, 2]]);
  });

  test.skipIf(!HAS_TERMINAL)('asks on a terminal, and does what it is told', async () => {
    await insertManyLetters(pool, schema, 4);
    const command = 'dead-letters discard 1 2 --reason-text because';
    const no = await answerWeir(command, { answer: 'no', env });
    expect(no.output).toMatch(/Discard 2 dead letters \(1 bad_uuid, 1 wrong_field\) for good\? Type yes to go on:/);
    expect(no.output).toMatch(/Nothing was discarded\./);
    expect(no.code).toBe(1);
    const yes = await answerWeir(command, { answer: 'yes', env });
    expect(yes.output).toMatch(/Discarded 2 dead letters, kept in/);
    expect(yes.code).toBe(0);
    expect(await statuses()).toEqual([
      ['discarded', 'because', 2],
      ['open', null, 2],
    ]);
  });

  test('of letters that are decided is refused, each named, and nothing is changed', async () => {
    const ids = await insertLetters(pool, schema, [{ status: 'sent' }, { status: 'recovered' }, {}]);
    const { code, stderr } = await letters('discard', ...ids, '77', '--reason-text', 'x', '--yes');
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([
      'weir: Letter 1 is sent, and only an open or parked one can be discarded; nothing was discarded.',
      'weir: Letter 2 is recovered, and only an open or parked one can be discarded; nothing was discarded.',
      'weir: There is no dead letter 77; nothing was discarded.',
    ]);
    expect((await statuses()).flat()).not.toContain('discarded');
    expect((await letters('discard', '--status', 'sent', '--reason-text', 'x')).stderr).toMatch(
      /--status sent: only letters that are open or parked can be discarded/,
    );
  });
});
