// Which open session holds a window open, and when event time ends that.
import { expect, test } from 'vitest';

import { heldOpenBy } from '../../pipeline/open-sessions.ts';

const MINUTE_MS = 60_000;
const RULES = { gapMs: 30 * MINUTE_MS, maxMs: 12 * 60 * MINUTE_MS };
const at = (time: string): number => Date.parse(`2026-11-01T${time}Z`);
const session = (start: string, last: string, cut: string) => ({
  userId: 'user_7',
  startMs: at(start),
  lastAtMs: at(last),
  cutAtMs: at(cut),
});

test('one session is named with its times, of several the last to close', () => {
  const last = session('10:03:12', '10:41:02', '22:03:00');
  expect(heldOpenBy({ count: 1, last }, RULES)).toEqual({
    reason: 'open-sessions',
    partition: null,
    sentence:
      'One session that started in it is open, that of user user_7: since 2026-11-01T10:03:12Z, last seen 2026-11-01T10:41:02Z. It closes when event time has come to 2026-11-01T11:12:00Z, later if the user goes on, at the latest at 2026-11-01T22:33:00Z.',
  });
  expect(heldOpenBy({ count: 1_200, last }, RULES).sentence).toMatch(
    /^1,200 sessions that started in it are open; the last to close is that of user user_7: since/,
  );
});

test('where going on would change nothing any more, because the cut is near, one time is said', () => {
  const last = session('10:03:12', '10:59:30', '11:00:00');
  expect(heldOpenBy({ count: 1, last }, RULES).sentence).toMatch(
    /\. It closes when event time has come to 2026-11-01T11:30:00Z\.$/,
  );
});
