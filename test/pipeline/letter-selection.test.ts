// Which dead letters are meant: filters as people write them, read or refused all at once.
import { describe, expect, test } from 'vitest';

import {
  describeSelection,
  selectLetters,
  selectsEveryLetter,
  SelectionError,
} from '../../pipeline/letter-selection.ts';
import type { WrittenFilters } from '../../pipeline/letter-selection.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');

function problemsOf(written: WrittenFilters): readonly string[] {
  try {
    selectLetters(written, NOW);
  } catch (thrown) {
    if (thrown instanceof SelectionError) return thrown.problems;
  }
  return [];
}

describe('a selection', () => {
  test('without filters means every letter', () => {
    const selection = selectLetters({}, NOW);
    expect(selectsEveryLetter(selection)).toBe(true);
    expect(selection).toMatchObject({ ids: [], reasons: [], sinceMs: null, text: null });
  });

  test('reads every filter, and names it in words', () => {
    const selection = selectLetters(
      {
        ids: ['007', '7', '12'],
        reason: ['not_json', 'bad_uuid'],
        field: ['user_id', '-'],
        type: ['-'],
        partition: ['3'],
        status: ['open'],
        since: '2h',
        until: '2026-11-23T11:00Z',
        text: 'order-5',
      },
      NOW,
    );
    expect(selection).toMatchObject({
      ids: ['7', '12'],
      reasons: ['not_json', 'bad_uuid'],
      fields: ['user_id', null],
      types: [null],
      partitions: [3],
      sinceMs: NOW - 7_200_000,
    });
    expect(describeSelection(selection)).toMatch(
      /^id 7 or 12, status open, reason not_json or bad_uuid, field user_id or none, type none, partition 3, since 2026-11-23T10:00:00.000Z, until 2026-11-23T11:00:00.000Z, with the text "order-5"$/,
    );
  });

  test('survives the JSON border between a command and a workflow', () => {
    const selection = selectLetters({ ids: ['9223372036854775807'], field: ['-'], since: '1h' }, NOW);
    expect(JSON.parse(JSON.stringify(selection))).toEqual(selection);
  });

  test('names every problem at once', () => {
    const problems = problemsOf({
      ids: ['x1', '0', '9223372036854775808'],
      reason: ['broken'],
      partition: ['-1', '4294967296'],
      status: ['closed'],
      since: 'yesterday',
      text: '',
    });
    expect(problems).toEqual([
      expect.stringMatching(/^ID: "x1" is no number of a letter; `weir dead-letters list` shows them/),
      expect.stringMatching(/^ID: "0" is no number/),
      expect.stringMatching(/^ID: "9223372036854775808" is no number/),
      expect.stringMatching(/^--reason: "broken" is no reason; there are empty_value, not_utf8/),
      expect.stringMatching(/^--partition: "-1" is no number of a partition/),
      expect.stringMatching(/^--partition: "4294967296"/),
      expect.stringMatching(/^--status: "closed" is no status; there are open, sent/),
      expect.stringMatching(/^--since: "yesterday" is no time/),
      expect.stringMatching(/^--text: it is empty/),
    ]);
  });

  test('refuses a time range that ends before it begins', () => {
    expect(problemsOf({ since: '1h', until: '2h' })).toEqual([expect.stringMatching(/^--since and --until: /)]);
  });
});
