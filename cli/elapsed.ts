// A stretch of time for columns and sentences: only as exact as a person reads it.
import { formatDuration } from '../pipeline/duration.ts';

const HOUR_S = 3_600;

/** Six characters at most, up to a day: `0.4s`, `12s`, `4m30s`, `2h5m`. */
export function elapsed(seconds: number): string {
  if (seconds === 0) return '0s';
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const unitS = seconds < HOUR_S ? 1 : 60;
  return formatDuration(Math.round(seconds / unitS) * unitS * 1000);
}
