// The list of metrics: names that say their unit, help that is a sentence, labels that are bounded.
import { expect, test } from 'vitest';

import { METRICS } from '../../observability/metric-list.ts';

/** Each has few values, whatever is in the messages. */
const LABELS = new Set([
  'topic',
  'partition',
  'reason',
  'cause',
  'aggregate',
  'status',
  'state',
  'dependency',
  'generator',
  'kind',
  'version',
  'node',
]);
const SUFFIXES = { seconds: '_seconds', bytes: '_bytes', 'per second': '_per_second', info: '_info' } as const;

test('no two metrics have the same name, and every name begins with weir_', () => {
  expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
  for (const { name } of METRICS) expect(name).toMatch(/^weir_[a-z]+(_[a-z]+)*$/);
});

test.each(METRICS)('$name ends in its unit, and a counter in _total behind it', ({ name, kind, unit }) => {
  expect(name.endsWith('_total')).toBe(kind === 'counter');
  const bare = name.replace(/_total$/, '');
  const found = Object.entries(SUFFIXES).find(([, suffix]) => bare.endsWith(suffix));
  expect(found?.[0] === 'seconds' && bare.endsWith('_per_second') ? 'per second' : found?.[0]).toBe(
    unit === 'count' || unit === 'yes or no' ? undefined : unit,
  );
});

test.each(METRICS)('the help of $name is made of sentences in one line', ({ help }) => {
  expect(help).toMatch(/^[A-Z][^\n]+\.$/);
});

test.each(METRICS)('$name has bounded labels', ({ labels }) => {
  for (const label of labels) expect(LABELS).toContain(label);
});

test.each(METRICS)('$name has buckets that grow if it is a histogram, and none otherwise', ({ kind, buckets }) => {
  expect(buckets !== undefined).toBe(kind === 'histogram');
  expect(buckets ?? []).toEqual([...(buckets ?? [])].toSorted((one, other) => one - other));
});
