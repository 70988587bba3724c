// A moment as people write it on a command line: a time (2026-11-23T10:05Z, 2026-11-23) or how long ago (2h).
import { parseDuration } from './duration.ts';
import { parseTimeMs, whyNotATime } from './event-time.ts';

/** Epoch ms of a time or of that long before `nowMs`. A date alone is its beginning in UTC. Throws what is wrong, without a full stop. */
export function parseMoment(text: string, nowMs: number): number {
  const given = text.trim();
  if (/^[\d.]+\s*(ms|s|m|h|d)/.test(given)) return nowMs - parseDuration(given);
  const whole = wholeTime(given);
  const atMs = parseTimeMs(whole);
  if (!Number.isNaN(atMs)) return atMs;
  const why = /^\d{4}-\d\d-\d\d/.test(given) ? ` (${whyNotATime(whole)})` : '';
  throw new Error(
    `"${text}" is no time${why}; write one such as 2026-11-23T10:05Z, 2026-11-23T12:05:30+02:00 or 2026-11-23, or how long ago, such as 2h`,
  );
}

/** Fills in what people leave out, and takes the form in which PostgreSQL prints times. */
function wholeTime(text: string): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return `${text}T00:00:00Z`;
  return text
    .replace(/^(\d{4}-\d\d-\d\d)[ t]/, '$1T')
    .replace(/T(\d\d:\d\d)(?=Z|z|[+-]|$)/, 'T$1:00')
    .replace(/z$/, 'Z')
    .replace(/([+-]\d\d)$/, (_, hours: string) => (text.length > 10 ? `${hours}:00` : hours));
}
