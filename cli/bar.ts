// A small bar: a share of a whole, drawn in characters that every terminal and file has.

/** Full at share 1. A share above nothing shows at least one mark. */
export function bar(share: number, columns = 30): string {
  const marks = Math.round(Math.min(1, Math.max(0, share)) * columns);
  return '#'.repeat(share > 0 ? Math.max(1, marks) : 0);
}

/** A share as the number before a percent sign; what would look like nothing with as many digits as it takes. */
export function percents(share: number): string {
  const value = share * 100;
  return value === 0 || value >= 0.1 ? value.toFixed(1) : value.toPrecision(1);
}
