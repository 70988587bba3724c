// A duration as people write it (5m, 20s, 24h) and as the program keeps it: milliseconds.

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;
const UNIT_MS: ReadonlyMap<string, number> = new Map(UNITS);

/** Largest accepted duration: 100 years, beyond which PostgreSQL's and JavaScript's dates stop being of use. */
const LONGEST_MS = 36_525 * 86_400_000;

/** Parses one or more numbers with units, largest first or not ("90s", "1h30m", "1.5h"), to milliseconds. Throws one sentence. */
export function parseDuration(text: string): number {
  const compact = text.trim().replaceAll(/\s+/g, '');
  if (compact === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) {
    throw new Error(`"${text}" is not a duration; write a number with ms, s, m, h or d, such as 20s, 5m or 24h`);
  }
  let totalMs = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (UNIT_MS.get(unit ?? '') ?? 0);
  }
  if (totalMs > LONGEST_MS) throw new Error(`"${text}" is longer than 100 years`);
  return Math.round(totalMs);
}

/** Milliseconds as the shortest exact text that `parseDuration` reads back: 300000 is "5m", 90000 is "1m30s". */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const parts: string[] = [];
  let restMs = Math.round(Math.abs(ms));
  for (const [unit, unitMs] of UNITS) {
    const amount = Math.floor(restMs / unitMs);
    if (amount > 0) parts.push(`${amount}${unit}`);
    restMs -= amount * unitMs;
  }
  return (ms < 0 ? '-' : '') + parts.join('');
}
