// Lines of benches beside lines that were kept: made by hand, and those that lie in bench/results.
import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { compareLines, comparisonText, readBenchLine } from '../../bench/compare-lines.ts';

const KEPT = new URL('../../bench/results/', import.meta.url);
const keptLine = (file: string, bench: string) =>
  readBenchLine(readFileSync(new URL(file, KEPT), 'utf8'), { file, bench });

describe('a comparison', () => {
  test.each([
    { name: 'eventsPerSecond', baseline: 100, now: 150, ratio: 1.5, better: 'higher' },
    { name: 'workerPeakMiB', baseline: 300, now: 150, ratio: 0.5, better: 'lower' },
    { name: 'resolution', baseline: 4, now: 4, ratio: 1, better: null },
    { name: 'unread', baseline: 0, now: 3, ratio: null, better: 'lower' },
    { name: 'slopeMiBPerHour', baseline: -2, now: 4, ratio: null, better: 'lower' },
  ])('of $name divides now by then, and says which way is good', (expected) => {
    const { name, baseline, now } = expected;
    expect(compareLines({ bench: 'x', [name]: baseline }, { bench: 'x', [name]: now }).figures).toEqual([expected]);
  });

  test.each([
    ['eventsPerSecond.closed', 'higher'],
    ['seconds.ingested', 'lower'],
    ['latencyMs.p99', 'lower'],
    ['latencyMs.events', null],
    ['cpuMicrosecondsPerEvent.judge.median', 'lower'],
    ['cpuMicrosecondsPerEvent.judge.spreadPercent', null],
    ['bytes.eventIndexes', 'lower'],
    ['closeMsPerPane', 'lower'],
    ['producedPerSecond', null],
    ['bytesPerEvent', null],
  ])('knows that of %s the %s is better', (name, better) => {
    const [first = '', ...inner] = name.split('.');
    const nested = inner.reduceRight<unknown>((value, member) => ({ [member]: value }), 2);
    const line = { bench: 'x', [first]: nested };
    expect(compareLines(line, line).figures).toEqual([{ name, baseline: 2, now: 2, ratio: 1, better }]);
  });

  test('matches the elements of a list by what they are of', () => {
    const baseline = { bench: 'x', rates: [{ rate: 2000, eventMs: { p50: 8 } }] };
    const now = {
      bench: 'x',
      rates: [
        { rate: 500, eventMs: { p50: 4 } },
        { rate: 2000, eventMs: { p50: 6 } },
      ],
    };
    const name = 'rates[2000].eventMs.p50';
    expect(compareLines(baseline, now).figures).toEqual([{ name, baseline: 8, now: 6, ratio: 0.75, better: 'lower' }]);
  });

  test('names what the two runs were given that was not the same, and takes none of it for a figure', () => {
    const line = { bench: 'x', events: 1000, machine: { cores: 2 }, data: 'plain', workerPeakMiB: 5 };
    const other = { ...line, events: 2000, machine: { cores: 4 } };
    expect(compareLines(line, other)).toEqual({
      differences: [
        { name: 'events', baseline: '1000', now: '2000' },
        { name: 'machine.cores', baseline: '2', now: '4' },
      ],
      figures: [{ name: 'workerPeakMiB', baseline: 5, now: 5, ratio: 1, better: 'lower' }],
    });
  });

  test('leaves out what the other line does not have, and verifications and series', () => {
    const now = { bench: 'x', verify: { seconds: 3 }, samples: [{ lag: 1 }], series: [[0, 1]], newFigureMs: 2 };
    const then = { ...now, newFigureMs: null };
    expect(compareLines(then, now).figures).toEqual([]);
  });

  test.each([
    ['catchup-plain.json', 'catchup'],
    ['live-2000.json', 'live'],
    ['generator.json', 'generator'],
    ['close.json', 'close'],
  ])('of %s with itself has every ratio at 1', (file, bench) => {
    const line = keptLine(file, bench);
    const { differences, figures } = compareLines(line, line);
    expect(differences).toEqual([]);
    expect(figures.length).toBeGreaterThan(3);
    expect(figures.every(({ baseline, ratio }) => (baseline === 0 ? ratio === null : ratio === 1))).toBe(true);
  });
});

describe('a kept file', () => {
  test('may hold several lines: the last one counts', () => {
    const text = '{"bench":"live","rate":1}\n{"bench":"live","rate":2}\n';
    expect(readBenchLine(text, { file: 'kept', bench: 'live' })).toEqual({ bench: 'live', rate: 2 });
  });

  test('may be laid out over several lines', () => {
    expect(readBenchLine('{\n  "bench": "live"\n}\n', { file: 'kept', bench: 'live' })).toEqual({ bench: 'live' });
  });

  test.each(['', 'no JSON', '[]', '{}', 'null', '{"bench":1}'])('that holds %j is refused in one sentence', (text) => {
    expect(() => readBenchLine(text, { file: 'kept.json', bench: 'live' })).toThrow(
      'kept.json does not hold a line that weir bench printed; `weir bench live > FILE` keeps one to compare with.',
    );
  });

  test('of another bench is refused in one sentence', () => {
    expect(() => keptLine('close.json', 'live')).toThrow(
      'close.json holds a line of `weir bench close`, which has other figures; compare with a line of `weir bench live`.',
    );
  });
});

describe('the text of a comparison', () => {
  test('says what was not the same, then each figure', () => {
    const then = { bench: 'x', users: 10, eventsPerSecond: 80, lag: { atEnd: 0 } };
    const now = { bench: 'x', users: 20, eventsPerSecond: 100, lag: { atEnd: 7 } };
    const comparison = compareLines(then, now);
    expect(comparisonText(comparison, 'kept.json').split('\n')).toEqual([
      'Compared with kept.json:',
      '  not the same: users was 10, is 20',
      'figure           baseline  now  now/baseline  better is',
      'eventsPerSecond        80  100          1.25  higher',
      'lag.atEnd               0    7             -  lower',
    ]);
  });

  test('says when there is nothing to compare', () => {
    expect(comparisonText({ differences: [], figures: [] }, 'kept.json')).toBe(
      'kept.json has no figure in common with this run.',
    );
  });
});
