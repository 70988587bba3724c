// `weir status --watch` on a real terminal: it takes the screen, follows the pipeline, and gives the screen back.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

import { beforeAll, describe, expect, inject, test } from 'vitest';

import { openEventWriter } from '../../kafka/event-writer.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { freshDatabase } from '../support/database.ts';
import { HAS_TERMINAL } from './on-terminal.ts';
import { EMPTY_HOME } from './run-weir.ts';

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const WEIR = fileURLToPath(new URL('../../cli/weir.js', import.meta.url));
const CRASHING = fileURLToPath(new URL('crashing-view.ts', import.meta.url));

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const topic = `watch-${randomBytes(4).toString('hex')}`;
const { schema } = await freshDatabase();
const env = {
  PATH: process.env.PATH,
  LANG: 'C.UTF-8',
  TERM: 'xterm-256color',
  WEIR_HOME: EMPTY_HOME,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  WEIR_TOPIC: topic,
  WEIR_SCHEMA: schema,
};

type Run = { readonly code: number | null; readonly output: string };
type Asked = { readonly line: string; readonly more?: Record<string, string> };

/** Runs a shell line on a terminal; `then` is called with all output so far, and may type. */
async function onTerminal(
  { line, more = {} }: Asked,
  then: (output: string, type: (keys: string) => void) => void,
): Promise<Run> {
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env: { ...env, ...more },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  let typed = false;
  // Only once: what is typed after the end appears behind it.
  const type = (keys: string): void => {
    if (!typed) child.stdin.write(keys);
    typed = true;
  };
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
    then(output, type);
  });
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  return { code, output };
}

const WATCH = `${process.execPath} ${WEIR} status --watch`;

beforeAll(async () => {
  await ensureTopic({ brokers: kafkaBrokers, topic, partitions: 2 });
});

describe.skipIf(!HAS_TERMINAL)('weir status --watch on a terminal', { timeout: 180_000 }, () => {
  test.each([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ])('takes the screen, shows what comes, and gives it back on %s', async (_name, key) => {
    const writer = await openEventWriter({ brokers: kafkaBrokers, topic });
    let sent = false;
    const { code, output } = await onTerminal({ line: WATCH }, (seen, type) => {
      if (!sent && seen.includes(topic)) {
        sent = true;
        void writer.write([{ key: null, value: Buffer.from('{}'), partition: 1 }]);
      }
      if (/lag {9}\S*\s?[1-9]\d* message/.test(stripVTControlCharacters(seen))) type(key);
    });
    await writer.close();
    expect(code).toBe(0);
    expect(output.indexOf(ENTER)).toBeGreaterThanOrEqual(0);
    expect(output.trimEnd().endsWith(LEAVE)).toBe(true);
    expect(output.split(ENTER)).toHaveLength(2);
    // Frames are written over the one before: a cleared screen would flicker.
    expect(output).not.toContain('\u001B[2J');
  });

  test('uses no color where NO_COLOR asks for none', async () => {
    const { output } = await onTerminal({ line: WATCH, more: { NO_COLOR: '1' } }, (seen, type) => {
      if (seen.includes('Ctrl-C or q ends')) type('q');
    });
    for (const color of [1, 2, 32, 33, 36]) expect(output).not.toContain(`\u001B[${color}m`);
    expect(output).toContain('committed');
  });

  test('a dumb terminal gets plain lines again and again', async () => {
    const linesOf = (output: string): string[] =>
      output.split('\n').filter((line) => /^\d\d:\d\d:\d\d .*lag \d+ messages?/.test(line));
    const { output } = await onTerminal({ line: WATCH, more: { TERM: 'dumb' } }, (seen, type) => {
      if (linesOf(seen).length > 1) type('\u0003');
    });
    expect(linesOf(output).length).toBeGreaterThan(1);
    expect(output).not.toContain('\u001B[');
  });

  test('a view that fails gives the terminal back before the error is printed', async () => {
    const { code, output } = await onTerminal({ line: `${process.execPath} --import tsx ${CRASHING}` }, () => {});
    expect(code).not.toBe(0);
    expect(output).toContain(ENTER);
    expect(output).toContain(LEAVE);
    expect(output).toContain('The view has failed.');
  });

  test('what keeps it from starting is said on the screen that was there', async () => {
    const { code, output } = await onTerminal({ line: WATCH, more: { WEIR_TOPIC: `${topic}-not` } }, () => {});
    expect(code).toBe(2);
    expect(output).not.toContain(ENTER);
    expect(output).toMatch(/does not exist/);
  });
});
