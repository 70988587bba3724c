// Times and amounts by whole numbers of any size, so that no rounding of the product's can hide in the oracle.

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;
const FIRST_US = BigInt(Date.parse('0001-01-01T00:00:00Z')) * 1000n;
const END_US = BigInt(Date.UTC(10_000, 0, 1)) * 1000n;

/** Epoch microseconds, or null for a text that is no time. */
export function timeUs(text: string): bigint | null {
  const parts = TIME.exec(text);
  if (parts === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // What does not exist comes back as something else.
  const back = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  if (String([...back, ...clock]) !== String([year, month, day, hour, minute, second])) return null;
  const [sign, hours, minutes] = [parts[8], Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  if (minutes > 59 || hours * 60 + minutes > 14 * 60) return null;
  const offsetMs = (sign === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
  const us = BigInt(date.getTime() - offsetMs) * 1000n + BigInt((parts[7] ?? '').padEnd(6, '0').slice(0, 6));
  return us >= FIRST_US && us < END_US ? us : null;
}

const SCALE = 15;
const CENT = 10n ** BigInt(SCALE - 2);
/** A millionth: nearer than this to a cent is noise. */
const NOISE = 10n ** BigInt(SCALE - 6);
const UNSURE = 10n ** BigInt(SCALE - 8);
const COLUMN_END = 10n ** BigInt(SCALE + 10);

/** What is wrong with a value as an amount of money; "none" among the reasons: an edge that doubles may put either way. */
export function moneyFaults(value: unknown): readonly string[] {
  if (typeof value !== 'number') return ['wrong_field'];
  if (Math.abs(value) >= 1e11) return ['number_out_of_range'];
  const amount = BigInt(Math.trunc(value)) * 10n ** BigInt(SCALE) + fraction(value);
  const size = amount < 0n ? -amount : amount;
  const edge = COLUMN_END - CENT / 2n;
  const nearEdge = size > edge - UNSURE * 100n && size < edge + UNSURE * 100n;
  if (nearEdge) return ['number_out_of_range', 'wrong_field'];
  if (size >= edge) return ['number_out_of_range'];
  if (amount < 0n) return ['wrong_field'];
  const beyond = size % CENT;
  const distance = beyond > CENT / 2n ? CENT - beyond : beyond;
  if (distance > NOISE - UNSURE && distance < NOISE + UNSURE) return ['wrong_field', 'none'];
  return distance < NOISE ? [] : ['wrong_field'];
}

/** The digits behind the point; a double below 1e11 has none that matter behind the fifteenth. */
function fraction(value: number): bigint {
  const [, digits = '0'] = Math.abs(value).toFixed(SCALE).split('.');
  return (value < 0 ? -1n : 1n) * BigInt(digits);
}
