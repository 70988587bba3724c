// What is typed wrong ends with exit code 2 and a sentence that says what would be right.
import { describe, expect, test } from 'vitest';

import { EMPTY_HOME, runWeir } from './run-weir.ts';

const NOWHERE = { WEIR_HOME: EMPTY_HOME };

describe('a usage error', () => {
  test.each([
    ['an unknown command', ['staus'], /unknown command 'staus' \(did you mean status\?\); `weir --help`/],
    ['an unknown flag', ['up', '--rat', '5'], /unknown option '--rat' \(did you mean --rate\?\); `weir up --help`/],
    [
      'a missing argument',
      ['partition', 'pause'],
      /missing required argument 'partition'; `weir partition pause --help`/,
    ],
    ['an argument too much', ['status', 'now'], /too many arguments.*; `weir status --help`/],
    ['a number that is none', ['generator', 'rate', 'fast'], /fast.*not a number.*`weir generator rate --help`/],
    ['an unknown aggregate', ['windows', '--aggregate', 'orders'], /Allowed choices are event_counts.*/],
    ['flags that exclude each other', ['up', '--until-caught-up'], /--until-caught-up needs --no-generator/],
    ['shares that are too large', ['generator', 'start', '--late', '2'], /late is 2, but must lie between 0 and 1/],
  ])('%s: exit code 2, one sentence, no stack', async (_what, args, sentence) => {
    const { code, stdout, stderr } = await runWeir(args, NOWHERE);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('all wrong settings are said at once, each on a line of its own', async () => {
    const { code, stderr } = await runWeir(['status', '--schema', 'A!'], {
      ...NOWHERE,
      WEIR_LATENESS: 'x',
      WEIR_WORKERS: '0',
    });
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^weir: WEIR_LATENESS: /),
      expect.stringMatching(/^weir: --schema: /),
      expect.stringMatching(/^weir: WEIR_WORKERS: /),
    ]);
  });

  test('a misspelt variable is pointed out', async () => {
    const { stderr } = await runWeir(['status'], { ...NOWHERE, WEIR_LATENES: '20s' });
    expect(stderr).toContain('WEIR_LATENES is set, but there is no such setting');
  });

  test('without a stack every command says how to get one', async () => {
    const { code, stderr } = await runWeir(['status'], NOWHERE);
    expect(code).toBe(2);
    expect(stderr).toMatch(/No local stack is known in .*; start one with `weir up` .* WEIR_KAFKA_BROKERS/);
  });

  test('a group without a command shows its help', async () => {
    const { code, stderr } = await runWeir(['pipeline']);
    expect(code).toBe(2);
    expect(stderr).toContain('weir pipeline status');
  });

  test('help ends well, and shows no colour where nobody sees it', async () => {
    const { code, stdout } = await runWeir(['status', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('weir status --watch');
    expect(stdout).not.toContain('\u001B[');
  });
});
