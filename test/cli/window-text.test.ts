// The reasons of an open window in words: what is the same for several partitions is said once.
import { expect, test } from 'vitest';

import { windowLines } from '../../cli/window-text.ts';
import type { WhyOpen } from '../../pipeline/why-open.ts';

const held = (partition: number, rest: string): WhyOpen => ({
  reason: 'read-to-the-end-recently',
  partition,
  sentence: `Partition ${partition} ${rest}`,
});

function linesOf(why: readonly WhyOpen[]): string[] {
  const history = { closed: null, amendments: [], events: 3, lateWaiting: 0, lateLeftOut: 0 };
  const span = { startMs: 0, endMs: 60_000 };
  return windowLines([{ aggregate: 'event_counts', counts: 'event', span, state: 'open', history, why }]).slice(1);
}

test('partitions that hold a window open in the same way share a sentence, others have their own', () => {
  const time: WhyOpen = { reason: 'event-time', partition: null, sentence: 'Event time has not begun.' };
  expect(
    linesOf([time, held(0, 'is 9s short of it.'), held(4, 'has 7 unread messages.'), held(12, 'is 9s short of it.')]),
  ).toEqual([
    '  - Event time has not begun.',
    '  - Each of the partitions 0, 12 is 9s short of it.',
    '  - Partition 4 has 7 unread messages.',
  ]);
});
