// Every hostile message of the corpus gets the verdict that belongs to it, quickly, and the same one again.
import { expect, test } from 'vitest';

import { parseMessage } from '../../pipeline/parse-message.ts';
import { CORPUS } from '../corpus/corpus.ts';
import { asMessage } from '../corpus/hostile-message.ts';
import { outcome, RULES } from './valid-messages.ts';

/** Far above what 1 MiB takes on a busy machine, far below what work that grows with its square takes. */
const LONGEST_MS = 5_000;

test.each(CORPUS.map((message) => [message.claim, message] as const))('%s', (_claim, hostile) => {
  const message = asMessage(hostile);
  const startedMs = performance.now();
  const verdict = parseMessage(message, RULES);
  expect(performance.now() - startedMs).toBeLessThan(LONGEST_MS);
  expect(outcome(verdict)).toBe(hostile.verdict);
  expect(verdict.rejection?.detail ?? 'Nothing belongs there.').toMatch(/^\S.* belongs? there\.$/s);
  // Not toEqual, which goes down one stack frame a level.
  expect(JSON.stringify(parseMessage(message, RULES))).toBe(JSON.stringify(verdict));
  const says = Object.keys(hostile.says).map((field) => [field, Reflect.get(verdict.event?.fields ?? {}, field)]);
  expect(Object.fromEntries(says)).toEqual(hostile.says);
  expect(verdict.event?.extra).toBe(hostile.extra === undefined ? verdict.event?.extra : hostile.extra);
});

test('the corpus has at least 150 messages, and no claim twice', () => {
  expect(CORPUS.length).toBeGreaterThanOrEqual(150);
  expect(new Set(CORPUS.map(({ claim }) => claim)).size).toBe(CORPUS.length);
});

test('in the corpus no event has the identity of another', () => {
  const identities = CORPUS.map((hostile) => parseMessage(asMessage(hostile), RULES).event)
    .filter((event) => event !== null)
    .map(({ eventId, occurredAtMs, occurredAtUs }) => `${eventId} ${occurredAtMs} ${occurredAtUs}`);
  expect(new Set(identities).size).toBe(identities.length);
});
