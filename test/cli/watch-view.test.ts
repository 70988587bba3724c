// The full-screen view fits into every terminal, says what matters first, and draws bars and curves to scale.
import { describe, expect, test } from 'vitest';

import { ASCII, BLOCKS, lagBar, marksFor, scale, sparkline } from '../../cli/marks.ts';
import type { PartitionStatus, StatusReport } from '../../cli/status-report.ts';
import { cut, painted, plain, spread, widthOf } from '../../cli/styled-line.ts';
import { NO_HISTORY, withReading } from '../../cli/watch-history.ts';
import { watchView } from '../../cli/watch-view.ts';
import type { Watched } from '../../cli/watch-view.ts';

const COUNTS = { recorded: 1_234_567, duplicate: 300, late: 51, rejected: 125, skipped: 0 };

const partition = (number: number, changes: Partial<PartitionStatus> = {}): PartitionStatus => ({
  ...COUNTS,
  partition: number,
  nextOffset: '9638',
  endOffset: '9640',
  logStartOffset: '0',
  lag: 2,
  watermark: '2026-11-01T10:00:13.000Z',
  idle: false,
  problem: null,
  ...changes,
});

const report = (changes: Partial<StatusReport> = {}): StatusReport => ({
  topic: 'orders',
  schema: 'weir',
  takenAt: '2026-11-01T10:01:00.000Z',
  restoredFrom: null,
  caughtUp: false,
  lag: 12,
  lagSeconds: 0.3,
  lowWatermark: '2026-11-01T10:00:30.000Z',
  heldBackBy: { partition: 4, reason: 'unread-messages' },
  closedThrough: '2026-11-01T10:00:00.000Z',
  writtenThrough: '2026-11-01T10:00:00.000Z',
  rates: { producedPerSecond: 60, committedPerSecond: 58 },
  totals: { ...COUNTS, windows: 115, lateWaiting: 0, lateLeftOut: 0 },
  letters: { open: 21, parked: 0, atLeast: false, reasons: [{ reason: 'wrong_field', letters: 21 }] },
  publication: { topic: 'orders.dead-letters', waiting: 0, atLeast: false, waitedSeconds: 0, problem: null },
  windows: {},
  sessions: { closed: 0, open: 3_051 },
  partitions: [0, 1, 2, 3, 4, 5].map((number) => partition(number)),
  workers: [],
  ...changes,
});

const AT = Date.parse('2026-11-01T10:00:00Z');
const window = (aggregate: string): Watched['windows'][number] => ({
  aggregate,
  startMs: AT - 600_000,
  endMs: AT,
  revision: 2,
  events: 3_570,
  closedAtMs: AT + 20_000,
});
const WINDOWS = ['event_counts', 'user_activity', 'purchase_metrics', 'session_metrics', 'device_stats'].map((name) =>
  window(name),
);

const watched = (changes: Partial<StatusReport> = {}, trouble: string | null = null): Watched => {
  const of = report(changes);
  return { report: of, windows: WINDOWS, history: withReading(withReading(NO_HISTORY, of), of), trouble };
};

const lines = (of: Watched, [columns, rows] = [80, 24], marks = BLOCKS): string[] =>
  watchView(of, { columns, rows, marks }).map((line) => painted(line, (_style, text) => text));

const LONG = 'Offsets 40 to 69 of partition 0 of topic orders are gone: '.repeat(9);
const MANY = Array.from({ length: 200 }, (_, number) => partition(number, { lag: number }));

describe('the view', () => {
  const sizes = [10, 20, 40, 60, 79, 80, 81, 100, 132, 300].flatMap((columns) =>
    [1, 2, 5, 12, 16, 20, 24, 25, 50, 100].map((rows) => [columns, rows] as const),
  );
  test.each(sizes)('of %i columns and %i rows is never larger than the terminal', (columns, rows) => {
    const views = [
      watched(),
      watched({ partitions: MANY }),
      watched({ partitions: [partition(0, { problem: LONG })] }, LONG),
      watched({ lowWatermark: null, closedThrough: null, rates: null, partitions: [], lagSeconds: null }),
    ];
    for (const view of views) {
      const drawn = lines(view, [columns, rows]);
      expect(drawn.length).toBeLessThanOrEqual(rows);
      expect(Math.max(...drawn.map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  });

  test('in 80 columns and 24 rows holds every partition, windows, letters and the way out', () => {
    const text = lines(watched()).join('\n');
    expect(text).toMatch(/^orders {2}working {2,}schema weir {2}10:01:00Z$/m);
    expect(text).toMatch(/^produced {4}60\/s/m);
    expect(text).toMatch(/^lag {9}12 messages, oldest 0\.3 s/m);
    expect(text).toMatch(/^watermark {3}10:00:30Z, 30s ago, held by partition 4/m);
    expect(text).toMatch(/^letters {5}21 open \(21 wrong_field\)/m);
    for (const number of [0, 1, 2, 3, 4, 5]) expect(text).toMatch(new RegExp(`^ {3}${number} {2}█·+ +2 `, 'm'));
    expect(text).toMatch(/^event_counts +11-01 09:50 to 10:00 +3,570 {4}2 {2}40s ago$/m);
    expect(text).toMatch(/^Ctrl-C or q ends/m);
  });

  test('says in full what is wrong, without pushing the rest off the screen', () => {
    const problem =
      'Offsets 40 to 69 of partition 0 of topic orders are gone: `weir partition accept-gap 0` accepts the loss.';
    const text = lines(watched({ partitions: [partition(0, { problem }), partition(1)] }));
    expect(text.join(' ')).toContain(problem);
    expect(text.join('\n')).toMatch(/^ {3}0 .* lost$/m);
    expect(lines(watched({}, LONG)).join('\n')).toMatch(/^ {3}5 /m);
  });

  test('of many partitions shows those furthest behind and counts the others', () => {
    const text = lines(watched({ partitions: MANY })).join('\n');
    expect(text).toMatch(/^ 199 /m);
    expect(text).not.toMatch(/^ {3}0 /m);
    expect(text).toMatch(/and \d+ more, [\d,]+ messages behind/);
  });

  test('says of an old view that nothing answers', () => {
    expect(lines(watched({}, 'No Kafka broker answers.')).slice(0, 24).join('\n')).toMatch(
      /^orders {2}no answer[\s\S]*^No Kafka broker answers\.$/m,
    );
  });

  test('has no character beyond ASCII where the locale has none', () => {
    expect(lines(watched(), [80, 24], ASCII).join('')).toMatch(/^[ -~]*$/);
    expect(marksFor({ LANG: 'C' })).toBe(ASCII);
    expect(marksFor({ LANG: 'de_DE.UTF-8' })).toBe(BLOCKS);
    expect(marksFor({ LC_ALL: 'C', LANG: 'en_US.UTF-8' })).toBe(ASCII);
  });
});

describe('marks', () => {
  test('a curve is as high as each share of the greatest, newest last', () => {
    expect(sparkline([0, 50, 100], 5, BLOCKS)).toBe('  ▁▅█');
    expect(sparkline([1, 2, 3, 4], 2, ASCII)).toHaveLength(2);
    expect(sparkline([0, 0], 2, BLOCKS)).toBe('▁▁');
    expect(sparkline([], 3, BLOCKS)).toBe('   ');
  });

  test('a bar shows that something is left, and is whole only for the whole', () => {
    expect(lagBar(0, 4, ASCII)).toBe('....');
    expect(lagBar(0.0001, 4, ASCII)).toBe('#...');
    expect(lagBar(0.99, 4, ASCII)).toBe('###.');
    expect(lagBar(7, 4, ASCII)).toBe('####');
  });

  test('a point stays on its scale', () => {
    expect(scale(0, 3, ASCII)).toBe('o--');
    expect(scale(0.5, 3, ASCII)).toBe('-o-');
    expect(scale(9, 3, ASCII)).toBe('--o');
  });

  test('a line is cut by columns before it is painted', () => {
    const line = [plain('abc'), plain('defgh')];
    expect(painted(cut(line, 6), (_style, text) => text)).toBe('abcd..');
    expect(cut(line, 8)).toBe(line);
    expect(widthOf(spread(line, line, 40))).toBe(40);
  });

  test('the history keeps two minutes of readings', () => {
    let history = NO_HISTORY;
    for (let reading = 0; reading < 500; reading += 1) history = withReading(history, report({ lag: reading }));
    expect(history.lag).toHaveLength(120);
    expect(history.lag.at(-1)).toBe(499);
  });
});
