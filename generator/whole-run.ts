// A whole run: the one stretch of schedule of a generator that nobody disturbs, from its first message to its last.
import type { GeneratorSpec } from './generator-spec.ts';
import { dueThrough } from './pace.ts';
import type { Segment } from './pace.ts';

/** `endIndex`: index after the last message; infinite where neither count nor duration ends it. */
export type WholeRun = { readonly segment: Segment; readonly endIndex: number };

/** What a generator makes that begins at `startMs` (epoch ms): the same messages as its workflow, as long as nobody changes its rate. */
export function wholeRun(spec: GeneratorSpec, startMs: number): WholeRun {
  const { rate, count, profile, profileMs, forMs } = spec;
  const shape =
    profile === undefined || profile === 'steady'
      ? {}
      : { profile: { name: profile, beganMs: startMs, lengthMs: profileMs ?? null } };
  const segment = { fromIndex: 0, startMs, rate, ...shape };
  const untilIndex = forMs === undefined ? Infinity : dueThrough(segment, startMs + forMs - 1);
  return { segment, endIndex: Math.min(count ?? Infinity, untilIndex) };
}
