// Ctrl-C and SIGTERM: what the first, the one right behind it and a later one mean.
import { expect, onTestFinished, test } from 'vitest';

import { listenForInterrupts } from '../../workers/interrupts.ts';
import { eventually } from '../support/eventually.ts';

test('the first signal asks for an orderly end, its echo is the same one, and one that comes later insists', async () => {
  const interrupts = listenForInterrupts();
  onTestFinished(() => interrupts.forget());
  let insisted = 0;
  interrupts.onInsisting(() => {
    insisted += 1;
  });
  const firstMs = performance.now();
  process.emit('SIGTERM');
  expect(interrupts.signal.aborted).toBe(true);
  process.emit('SIGINT');
  expect(insisted).toBe(0);
  const later = (): boolean => {
    process.emit('SIGTERM');
    return insisted > 0;
  };
  await eventually(later, { deadlineMs: 10_000, what: 'a later signal insists' });
  expect(performance.now() - firstMs).toBeGreaterThan(1_000);
});

test('signals are left to others once nobody listens any more', () => {
  const before = process.listenerCount('SIGTERM');
  const interrupts = listenForInterrupts();
  interrupts.forget();
  expect(process.listenerCount('SIGTERM')).toBe(before);
});
