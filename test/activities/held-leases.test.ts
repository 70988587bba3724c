// What a worker does with a lease that it is offered: it takes it, or passes it on a few times when it has its share.
import { describe, expect, it } from 'vitest';

import { HeldLeases } from '../../activities/held-leases.ts';

const of = (partition: number) => ({ topic: 'events', partition });
const offer = { offeredMs: 1_000, workerGone: false };

describe('HeldLeases', () => {
  it('takes everything while its share is not known', () => {
    const held = new HeldLeases();
    for (let partition = 0; partition < 50; partition += 1) {
      expect(held.passesOn(of(partition), offer)).toBe(false);
      held.begin(of(partition), offer);
    }
    expect(held.all.length).toBe(50);
  });

  it('passes a lease on when it has its share, and takes it all the same when nobody else does', () => {
    const held = new HeldLeases();
    held.share = 1;
    held.begin(of(0), offer);
    expect(Array.from({ length: 6 }, () => held.passesOn(of(1), offer))).toEqual([true, true, true, true, true, false]);
    expect(held.passesOn(of(2), offer)).toBe(true);
  });

  it('takes the lease of a lost worker at once, whatever its share', () => {
    const held = new HeldLeases();
    held.share = 1;
    held.begin(of(0), offer);
    expect(held.passesOn(of(1), { workerGone: true })).toBe(false);
  });

  it('takes the renewal of its own lease: the one that ended makes room', () => {
    const held = new HeldLeases();
    held.share = 1;
    held.begin(of(0), offer).end();
    expect(held.passesOn(of(0), offer)).toBe(false);
  });

  it('tells the lease that is given back, and no other', () => {
    const held = new HeldLeases();
    const [first, second] = [held.begin(of(0), offer), held.begin(of(1), offer)];
    held.giveBack(first);
    held.giveBack(of(7));
    expect([first.yielded.aborted, second.yielded.aborted]).toEqual([true, false]);
  });

  it('remembers when it took over from a lost worker, and when one came back that it had given away', () => {
    const held = new HeldLeases();
    const first = held.begin(of(0), offer);
    expect(held.lastTakeoverMs).toBeNull();
    held.begin(of(1), { offeredMs: 3_000, workerGone: true });
    held.begin(of(2), { offeredMs: 2_000, workerGone: true });
    expect(held.lastTakeoverMs).toBe(3_000);
    held.giveBack(first);
    first.end();
    held.begin(of(0), { offeredMs: 4_000, workerGone: false });
    expect(held.lastTakeoverMs).toBe(4_000);
  });

  it('counts an attempt that goes on beside a newer one of the same partition as nothing', () => {
    const held = new HeldLeases();
    const zombie = held.begin(of(0), offer);
    const newer = held.begin(of(0), offer);
    zombie.end();
    expect(held.all).toEqual([newer]);
  });
});
