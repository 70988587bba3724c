// The micro benchmark of parsing runs without servers, and every event goes through all of it.
import { expect, test } from 'vitest';

import { benchParse } from '../../bench/parse.ts';

test('decoding, judging and encoding each take some time, and events come out as rows', async () => {
  const outcome = await benchParse({ events: 6_001, rounds: 2, seed: 3, users: 50, report: () => {} });
  const { cpuMicrosecondsPerEvent, bytesPerEvent, rowBytesPerEvent } = outcome;
  for (const { median, least, most } of Object.values(cpuMicrosecondsPerEvent)) {
    expect(median).toBeGreaterThan(0);
    expect(least).toBeLessThanOrEqual(median);
    expect(most).toBeGreaterThanOrEqual(median);
  }
  expect(Object.keys(cpuMicrosecondsPerEvent)).toEqual(['decode', 'judge', 'encode']);
  expect(bytesPerEvent).toBeGreaterThan(200);
  // 32 columns, each with the four bytes of its length.
  expect(rowBytesPerEvent).toBeGreaterThan(130);
});
