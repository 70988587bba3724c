// What a window that is not closed waits for: each thing that can hold it, alone and together.
import { describe, expect, test } from 'vitest';

import { whyOpen } from '../../pipeline/why-open.ts';
import type { EventTimeFacts, PartitionStanding } from '../../pipeline/why-open.ts';

const at = (time: string): number => Date.parse(`2026-11-23T${time}Z`);
const END = at('10:06:00');

const quiet: PartitionStanding = {
  partition: 0,
  watermarkMs: at('10:05:00'),
  lag: 0,
  idle: true,
  problem: null,
  resting: null,
};
const busy = (partition: number, changes: Partial<PartitionStanding> = {}): PartitionStanding => ({
  ...quiet,
  partition,
  idle: false,
  lag: 12_000,
  ...changes,
});

function facts(changes: Partial<EventTimeFacts>): EventTimeFacts {
  return {
    nowMs: at('10:20:00'),
    lowWatermarkMs: at('10:05:00'),
    closedThroughMs: at('10:05:00'),
    writtenThroughMs: at('10:05:00'),
    lastWindowEndMs: at('10:10:00'),
    latenessMs: 300_000,
    idleAfterMs: 30_000,
    partitions: [quiet],
    troubles: [],
    ...changes,
  };
}

const said = (changes: Partial<EventTimeFacts>): string[] =>
  whyOpen(END, facts(changes)).map(({ reason, partition, sentence }) => `${reason} ${partition ?? '-'}: ${sentence}`);

describe('a window is open', () => {
  test('while a partition with unread messages is short of its end', () => {
    const ahead = busy(2, { watermarkMs: at('10:30:00') });
    expect(said({ partitions: [busy(1), ahead, quiet] })).toEqual([
      'event-time -: Event time has come to 2026-11-23T10:05:00Z (low watermark), and 1m up to its end are missing.',
      'unread-messages 1: Partition 1 is 1m short of it and has 12,000 unread messages: as they are read it comes nearer.',
    ]);
  });

  test('while a partition that was read a moment ago is short of its end, and it says which event would close it', () => {
    expect(said({ partitions: [busy(1, { lag: 0 })] })[1]).toBe(
      'read-to-the-end-recently 1: Partition 1 is 1m short of it and was read to its end only just now: an event of 2026-11-23T10:11:00Z or later closes the window (the lateness of 5m included), or it holds nothing back any more once it has been read to its end for 30s without a new message.',
    );
  });

  test('while a partition has no event yet', () => {
    const [first, second] = said({ lowWatermarkMs: null, partitions: [busy(1, { lag: 0, watermarkMs: null })] });
    expect(first).toBe('event-time -: Event time has not begun: there is no low watermark yet.');
    expect(second).toMatch(/^no-event-yet 1: Partition 1 has no event yet: it holds nothing back any more once/);
  });

  test('for several reasons at once, the furthest behind first', () => {
    const lost = busy(3, {
      watermarkMs: at('10:01:00'),
      problem: 'Offsets 4 to 9 are gone: `weir partition accept-gap 3`.',
    });
    const paused = busy(1, {
      watermarkMs: at('10:02:00'),
      lag: 1,
      resting: 'Paused; "weir partition resume 1" goes on.',
    });
    const lines = said({ partitions: [busy(0), paused, lost], troubles: ['The pipeline is paused.'] });
    expect(lines.slice(1)).toEqual([
      'lost-range 3: Partition 3 is 5m short of it and has stopped: Offsets 4 to 9 are gone: `weir partition accept-gap 3`.',
      'resting 1: Partition 1 is 4m short of it with 1 unread message, and rests: Paused; "weir partition resume 1" goes on.',
      expect.stringMatching(/^unread-messages 0: /),
      'workflows -: The pipeline is paused.',
    ]);
  });

  test('until the clock passes its end and the lateness, where all partitions are idle', () => {
    expect(said({ nowMs: at('10:10:30') })[1]).toBe(
      'all-idle -: All partitions are read to their end and idle, so it closes by the clock at 2026-11-23T10:11:00Z, its end and the lateness of 5m: in 30s.',
    );
    expect(said({})[1]).toMatch(/: any moment now\.$/);
  });

  test('where it lies behind the last event, or before there is any', () => {
    expect(said({ lastWindowEndMs: at('10:05:00') })[1]).toBe(
      'behind-the-last-event -: All partitions are read to their end and idle, and the last window with an event ends at 2026-11-23T10:05:00Z: event time waits there until new events come.',
    );
    expect(said({ lastWindowEndMs: null, partitions: [] })[1]).toMatch(
      /There is no partition, and there is no event at all/,
    );
  });

  test('where it lies in the future', () => {
    expect(said({ nowMs: at('10:05:30'), partitions: [busy(1)] })[1]).toBe(
      'in-the-future -: It lies in the future: it ends in 30s.',
    );
  });

  test('where event time has passed it and the closer has not', () => {
    expect(said({ lowWatermarkMs: at('10:08:00') })).toEqual([
      'closer-behind -: The low watermark, 2026-11-23T10:08:00Z, has passed its end, so it is due; results are written through 2026-11-23T10:05:00Z. The closer is on its way: `weir status --watch` shows it move.',
    ]);
    expect(
      said({ lowWatermarkMs: at('10:08:00'), closedThroughMs: at('10:08:00'), writtenThroughMs: null })[0],
    ).toMatch(/nothing is written yet\. Its time is closed already; only its rows are missing\./);
  });
});
