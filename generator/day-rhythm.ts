// The rhythm of a day: how likely somebody is to come into the shop at an hour of the clock where they live.
import { must } from '../pipeline/ensure.ts';

const HOUR_MS = 3_600_000;

/** By the local hour; 1 at nine in the evening. Hours are whole and zones fixed: no shop notices the week of a clock change. */
const AWAKE = {
  night: [0.22, 0.12, 0.07, 0.05, 0.05, 0.09],
  morning: [0.2, 0.36, 0.48, 0.54, 0.58, 0.62],
  afternoon: [0.7, 0.65, 0.6, 0.6, 0.64, 0.7],
  evening: [0.8, 0.92, 0.98, 1, 0.76, 0.44],
};
const AWAKE_BY_HOUR = [...AWAKE.night, ...AWAKE.morning, ...AWAKE.afternoon, ...AWAKE.evening];

/** The hour of the day (0 to 23) in UTC at an epoch time. */
export const utcHour = (atMs: number): number => ((Math.floor(atMs / HOUR_MS) % 24) + 24) % 24;

/** How likely (0 to 1) somebody comes at an hour in UTC who lives `zoneHours` east of it. */
export function awakeShare(hour: number, zoneHours: number): number {
  return must(AWAKE_BY_HOUR[(hour + zoneHours + 24) % 24], 'a share for every hour');
}
