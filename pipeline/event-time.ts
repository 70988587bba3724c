// The time of an event, read by hand: V8's own parser takes 30 February for 2 March and guesses where an offset is missing.

const DAY_MS = 86_400_000;
/** Real clocks are at most this far from UTC (Kiribati). */
const MAX_OFFSET_MINUTES = 14 * 60;
const FIRST_MS = -62_135_596_800_000; // 0001-01-01T00:00:00Z
const LAST_MS = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z
const SHORTEST = '2024-05-01T12:00:00Z'.length;
const FRACTION_AT = 19;
const MAX_FRACTION_DIGITS = 9;

const DOT = 46;
const COLON = 58;
const DASH = 45;
const PLUS = 43;
const LETTER_T = 84;
const LETTER_Z = 90;

export const TIME_FORM =
  'an ISO-8601 time with its offset, such as 2024-05-01T12:00:00.250Z or 2024-05-01T14:00:00+02:00,';

/** Epoch milliseconds of `YYYY-MM-DDThh:mm:ss[.f](Z|+hh:mm|-hh:mm)`, rounded down; NaN for any other text or a time that does not exist. */
export function parseTimeMs(text: string): number {
  if (text.length < SHORTEST || !hasSeparators(text)) return NaN;
  const century = twoDigits(text, 0);
  const yearOfCentury = twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  if (century < 0 || yearOfCentury < 0 || month < 1 || month > 12 || day < 1) return NaN;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return NaN;
  const year = century * 100 + yearOfCentury;
  if (day > daysInMonth(year, month)) return NaN;
  const zoneAt = endOfFraction(text);
  const offsetMinutes = zoneAt < 0 ? NaN : parseOffsetMinutes(text, zoneAt);
  const minutes = hour * 60 + minute - offsetMinutes;
  const timeMs =
    daysSinceEpoch(year, month) * DAY_MS +
    (day - 1) * DAY_MS +
    (minutes * 60 + second) * 1000 +
    fractionDigits(text, 0);
  return timeMs >= FIRST_MS && timeMs <= LAST_MS ? timeMs : NaN;
}

/** The microseconds (0 to 999) that lie above `parseTimeMs(text)`, for a text it accepted; finer digits are cut off. */
export function microsecondsOf(text: string): number {
  return text.length > SHORTEST + 4 ? fractionDigits(text, 3) : 0;
}

/** What is wrong with a text for which `parseTimeMs` gives NaN, as a clause: "day 30 does not exist in 2024-02". */
export function whyNotATime(text: string): string {
  const parts = /^((\d{4})-(\d\d))-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (parts === null) return 'it does not have that form';
  const [, yearAndMonth, year, month, day, hour, minute, second, zone] = parts;
  if (zone === undefined) return 'it has no offset';
  if (Number(month) < 1 || Number(month) > 12) return `month ${month} does not exist`;
  if (Number(day) < 1 || Number(day) > daysInMonth(Number(year), Number(month)))
    return `day ${day} does not exist in ${yearAndMonth}`;
  if (Number(hour) > 23) return `hour ${hour} does not exist`;
  if (Number(minute) > 59) return `minute ${minute} does not exist`;
  if (Number(second) > 59) return `second ${second} does not exist`;
  if (Number.isNaN(parseOffsetMinutes(text, text.length - zone.length))) return `the offset ${zone} does not exist`;
  return 'in UTC it lies outside the years 0001 to 9999';
}

function hasSeparators(text: string): boolean {
  return (
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(7) === DASH &&
    text.charCodeAt(10) === LETTER_T &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON
  );
}

function twoDigits(text: string, at: number): number {
  const tens = digitAt(text, at);
  const ones = digitAt(text, at + 1);
  return tens < 0 || ones < 0 ? -1 : tens * 10 + ones;
}

function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 48;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

/** Where the zone begins; -1 when the fraction has no digit or too many. */
function endOfFraction(text: string): number {
  if (text.charCodeAt(FRACTION_AT) !== DOT) return FRACTION_AT;
  let at = FRACTION_AT + 1;
  while (at < text.length && digitAt(text, at) >= 0) at += 1;
  const digits = at - FRACTION_AT - 1;
  return digits >= 1 && digits <= MAX_FRACTION_DIGITS ? at : -1;
}

/** Three digits of the fraction from the `skipped`-th on, missing ones as zero. */
function fractionDigits(text: string, skipped: number): number {
  if (text.charCodeAt(FRACTION_AT) !== DOT) return 0;
  let digits = 0;
  let at = FRACTION_AT + 1;
  const from = at + skipped;
  for (; at < from + 3; at += 1) {
    const digit = at < text.length ? digitAt(text, at) : -1;
    if (digit < 0) break;
    if (at >= from) digits = digits * 10 + digit;
  }
  // The zone stopped the loop: what is missing counts as zeros, also when it stopped before `from`.
  for (at = Math.max(at, from); at < from + 3; at += 1) digits *= 10;
  return digits;
}

function parseOffsetMinutes(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if (sign === LETTER_Z) return text.length === at + 1 ? 0 : NaN;
  if ((sign !== PLUS && sign !== DASH) || text.length !== at + 6 || text.charCodeAt(at + 3) !== COLON) return NaN;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  const total = hours * 60 + minutes;
  if (hours < 0 || minutes < 0 || minutes > 59 || total > MAX_OFFSET_MINUTES) return NaN;
  return sign === DASH ? -total : total;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 to the first of the month, in the Gregorian calendar carried back to year 0. */
function daysSinceEpoch(year: number, month: number): number {
  // The year is taken to begin in March, so that the leap day is its last; 153 days are five months.
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) - 719_468;
}
