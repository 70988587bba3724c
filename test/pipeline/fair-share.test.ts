// Who counts as alive, how many leases are fair, and which one goes.
import { assert, integer, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fairShare, leaseToYield, liveWorkers } from '../../pipeline/fair-share.ts';

const NOW = 1_000_000;
const asked = (identity: string, secondsAgo: number) => ({ identity, lastAskedMs: NOW - secondsAgo * 1_000 });
const me = { identity: 'me', lastTakeoverMs: null };
const lease = (partition: number, begunMs: number) => ({ topic: 'events', partition, begunMs });

describe('liveWorkers', () => {
  it('counts this worker even when Temporal has not listed it yet', () => {
    expect(liveWorkers({ ...me, pollers: [] })).toBe(1);
  });

  it('counts those that asked within the last minute, and no longer one that fell silent', () => {
    expect(liveWorkers({ ...me, pollers: [asked('me', 0), asked('b', 60), asked('dead', 71)] })).toBe(2);
  });

  it('counts a worker once, however often it is listed', () => {
    expect(liveWorkers({ ...me, pollers: [asked('me', 5), asked('b', 60), asked('b', 3)] })).toBe(2);
  });

  it('leaves out a worker that has not asked since its leases came here, and takes in one that has', () => {
    const pollers = [asked('me', 0), asked('killed', 25), asked('restarted', 5)];
    expect(liveWorkers({ ...me, pollers, lastTakeoverMs: NOW - 12_000 })).toBe(2);
  });

  it('goes by one clock alone: all times shifted together change nothing', () => {
    const pollers = [asked('me', 0), asked('b', 30), asked('dead', 100)];
    const shifted = pollers.map((poller) => ({ ...poller, lastAskedMs: poller.lastAskedMs + 600_000 }));
    expect(liveWorkers({ ...me, pollers: shifted })).toBe(liveWorkers({ ...me, pollers }));
  });
});

describe('fairShare', () => {
  const share = (partitions: number, workers: number): number =>
    fairShare({
      ...me,
      partitions,
      pollers: Array.from({ length: workers }, (_, at) => asked(at ? `w${at}` : 'me', 1)),
    });

  it('has no bound for a worker that is alone', () => {
    expect(share(6, 1)).toBe(Infinity);
  });

  it('is the part of each, rounded up, and never nothing', () => {
    expect([share(6, 2), share(6, 3), share(5, 2), share(7, 3), share(2, 3), share(0, 2)]).toEqual([3, 2, 3, 3, 1, 1]);
  });

  it('leaves room for every partition', () => {
    assert(
      property(nat(1_000), integer({ min: 2, max: 50 }), (partitions, workers) => {
        expect(share(partitions, workers) * workers).toBeGreaterThanOrEqual(partitions);
      }),
    );
  });
});

describe('leaseToYield', () => {
  it('is none while the share is not exceeded', () => {
    expect(leaseToYield([lease(0, 1), lease(1, 2)], 2)).toBeNull();
    expect(leaseToYield([lease(0, 1), lease(1, 2)], Infinity)).toBeNull();
    expect(leaseToYield([], 1)).toBeNull();
  });

  it('is the oldest one', () => {
    expect(leaseToYield([lease(0, 30), lease(1, 10), lease(2, 20)], 2)?.partition).toBe(1);
  });

  it('gives back, one by one, exactly what is too much', () => {
    assert(
      property(nat(40), integer({ min: 1, max: 40 }), (count, most) => {
        let held = Array.from({ length: count }, (_, partition) => lease(partition, (partition * 7) % 11));
        for (let next = leaseToYield(held, most); next; next = leaseToYield(held, most)) {
          held = held.filter((each) => each !== next);
        }
        expect(held.length).toBe(Math.min(count, most));
      }),
    );
  });
});
