// What a partition's workflow makes of a lost range: from this build's failures, and from what older builds left.
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';

import { toFailure } from '../../activities/failures.ts';
import { LostRangeError, OffsetBeyondEndError } from '../../kafka/failures.ts';
import { KnownLostRange } from '../../workflows/lost-range.ts';

const place = { topic: 'orders', partition: 3 };
/** As a workflow sees the failure of an activity. */
const failed = (error: Error): ActivityFailure =>
  new ActivityFailure(
    'Activity task failed',
    'consumePartition',
    '1',
    'NON_RETRYABLE_FAILURE',
    'worker',
    toFailure(error),
  );

test('offsets that are gone are known to the number, with the command that accepts it', () => {
  const lost = new KnownLostRange('ingest');
  expect(lost.learn(failed(new LostRangeError({ ...place, wanted: 40, logStart: 70 })))).toBe(true);
  expect(lost.offsets).toEqual({ fromOffset: '40', toOffset: '70', lost: '30' });
  expect(lost.sentence).toMatch(/^Offsets 40 to 69 of partition 3 .*`weir partition accept-gap 3`\.$/);
});

test('a log that ends before the next offset has lost no offsets that could be named', () => {
  const lost = new KnownLostRange('ingest');
  expect(lost.learn(failed(new OffsetBeyondEndError({ ...place, wanted: 40, logEnd: 5 })))).toBe(true);
  expect(lost.offsets).toBeNull();
  expect(lost.sentence).toMatch(/its log ends at 5/);
});

test('another failure teaches nothing, and what was known stays', () => {
  const lost = new KnownLostRange('ingest', { sentence: 'Gone.', range: null });
  expect(lost.learn(failed(new Error('The disk is full.')))).toBe(false);
  expect(lost.sentence).toBe('Gone.');
});

test('what a run hands on is known to the next one, also the mere sentence of an older build', () => {
  const lost = new KnownLostRange('ingest');
  lost.learn(failed(new LostRangeError({ ...place, wanted: 40, logStart: 70 })));
  expect(new KnownLostRange('ingest', lost.carried).offsets).toEqual(lost.offsets);
  expect(new KnownLostRange('ingest', 'Offsets are gone.')).toMatchObject({
    sentence: 'Offsets are gone.',
    offsets: null,
  });
});

test('a failure of an older build, which names no offsets, still stops the partition', () => {
  const lost = new KnownLostRange('ingest');
  const older = ApplicationFailure.nonRetryable('Offsets 40 to 69 are gone.', 'LostRange');
  expect(lost.learn(new ActivityFailure('', 'consumePartition', '1', 'NON_RETRYABLE_FAILURE', 'worker', older))).toBe(
    true,
  );
  expect(lost).toMatchObject({ sentence: 'Offsets 40 to 69 are gone.', offsets: null });
});
