// How well a rate was kept: of all minutes, sliding from sample to sample, the one that was furthest from it.

/** How many messages there were by a moment (ms of any clock). */
export type RateSample = { readonly atMs: number; readonly messages: number };

/** `seconds`: a minute, or all there was. `actual`: messages a second. `offPercent`: from the target, up or down. */
export type WorstSpan = { readonly seconds: number; readonly actual: number; readonly offPercent: number };

const MINUTE_MS = 60_000;

/**
 * The minute furthest from `target` (messages a second); the whole time where less than a minute was measured. A message more
 * or less than a minute holds at its ends is no error of the rate: one per second can't be counted more finely.
 */
export function worstSpan(samples: readonly RateSample[], target: number): WorstSpan {
  let worst: WorstSpan = { seconds: 0, actual: 0, offPercent: 0 };
  let from = 0;
  samples.forEach((last, to) => {
    while (from < to && last.atMs - (samples[from + 1]?.atMs ?? last.atMs) >= MINUTE_MS) from += 1;
    const first = samples[from];
    const isWhole = first !== undefined && last.atMs - first.atMs >= MINUTE_MS;
    if (first === undefined || (!isWhole && (from > 0 || to < samples.length - 1)) || last.atMs === first.atMs) return;
    const seconds = (last.atMs - first.atMs) / 1_000;
    const messages = last.messages - first.messages;
    const off = Math.max(0, Math.abs(messages - target * seconds) - 1);
    const offPercent = Math.round((off / (target * seconds)) * 100_000) / 1_000;
    if (worst.seconds > 0 && offPercent <= worst.offPercent) return;
    worst = {
      seconds: Math.round(seconds * 100) / 100,
      actual: Math.round((messages / seconds) * 100) / 100,
      offPercent,
    };
  });
  return worst;
}
