// A session as people and programs read it.
import { FUNNELS } from '../pipeline/funnel.ts';
import { readable } from '../pipeline/readable-bytes.ts';
import type { Session } from '../postgres/read-sessions.ts';
import { elapsed } from './elapsed.ts';
import { grouped, plural, styled, tableOf, timeText } from './output.ts';

/** Text that came from elsewhere, safe for a terminal. */
const safe = (text: string): string => readable(Buffer.from(text));

/** A line a session. */
export function sessionTable(sessions: readonly Session[]): string {
  const rows = sessions.map((session) => [
    safe(session.userId),
    timeText(session.startMs).slice(0, 16).replace('T', ' '),
    elapsed(session.durationSeconds),
    grouped(session.events),
    outcome(session),
  ]);
  return tableOf(['user', 'start (UTC)', 'lasted', 'events', 'what came of it'], rows);
}

/** `bought 12.50, left 3.00`; of an open session what it came to so far. */
function outcome(session: Session): string {
  const { converted, bounced, revenue, cartLeft } = session;
  const parts = [
    ...(session.provisional ? ['open'] : []),
    ...(converted ? [`bought ${money(revenue)}`] : []),
    ...(isNone(cartLeft) ? [] : [`left ${money(cartLeft)}`]),
    ...(bounced && !session.provisional ? ['bounced'] : []),
    ...(session.cut ? ['cut, went on'] : []),
  ];
  return parts.length === 0 ? 'bought nothing' : parts.join(', ');
}

/** The story of one session. */
export function sessionLines(session: Session): string[] {
  const { durationSeconds, revision, provisional } = session;
  const revised = revision > 1 ? `, revision ${revision}` : '';
  const state = provisional ? styled('yellow', 'open, provisional') : `closed${revised}`;
  const cut = session.cut ? ', cut at the greatest length: the user went on' : '';
  return [
    `${styled('bold', `${timeText(session.startMs)} for ${elapsed(durationSeconds)}`)}, ${state}${cut}`,
    `  ${countsText(session)}`,
    `  ${wayText(session)}`,
    `  ${cartText(session)}`,
    ...Object.entries(session.funnels).map(([funnel, times]) => `  ${funnel}: ${stepsText(funnel, times)}`),
  ];
}

function countsText(session: Session): string {
  const counted = [
    [session.pages, 'page view'],
    [session.clicks, 'click'],
    [session.searches, 'search'],
    [session.cartAdds, 'cart add'],
    [session.orders, 'order'],
  ] as const;
  const named = counted
    .filter(([count]) => count > 0)
    .map(([count, noun]) => (noun === 'search' && count !== 1 ? `${grouped(count)} searches` : plural(count, noun)));
  return [plural(session.events, 'event'), ...(named.length === 0 ? [] : [named.join(', ')])].join(': ');
}

function wayText({ device, location, entryPage, exitPage, firstReferrer }: Session): string {
  const where = `${safe(device)}, ${safe(location)}`;
  if (entryPage === null) return `${where}; no page seen`;
  const from = firstReferrer === null ? '' : ` (from ${safe(firstReferrer)})`;
  return `${where}; came to ${safe(entryPage)}${from}, last saw ${safe(exitPage ?? entryPage)}`;
}

function cartText({ converted, bounced, revenue, cartLeft }: Session): string {
  const bought = converted ? `bought for ${money(revenue)}` : bounced ? 'bounced' : 'bought nothing';
  return isNone(cartLeft) ? bought : `${bought}, left ${money(cartLeft)} in the cart`;
}

/** `view 10:02:05, click +12s, cart +1m3s`: when the first step was reached, and how long each next one took. */
function stepsText(funnel: string, times: readonly number[]): string {
  const steps = FUNNELS.find(({ name }) => name === funnel)?.steps;
  return times
    .map((time, index) => {
      const before = times[index - 1];
      const at = before === undefined ? timeText(time / 1000).slice(11, 19) : `+${elapsed((time - before) / 1e6)}`;
      return `${steps?.[index]?.name ?? `step ${index + 1}`} ${at}`;
    })
    .join(', ');
}

const isNone = (decimal: string): boolean => Number(decimal) === 0;

/** A decimal with thousands separators, to the cent. */
function money(decimal: string): string {
  const [whole = '0', cents = ''] = decimal.split('.');
  return `${whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')}.${cents.padEnd(2, '0').slice(0, 2)}`;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** One session for programs. `funnels`: when each step was reached, of the funnels entered. Money is a decimal string. */
export function sessionJson({ startMs, endMs, activeSinceMs, closedAtMs, funnels, userId, ...rest }: Session): unknown {
  const at = (micros: number): string => `${iso(Math.floor(micros / 1000)).slice(0, -1)}${pad(micros % 1000)}Z`;
  return {
    userId,
    sessionStart: iso(startMs),
    sessionEnd: iso(endMs),
    ...rest,
    activeSince: iso(activeSinceMs),
    funnels: Object.fromEntries(Object.entries(funnels).map(([funnel, times]) => [funnel, times.map(at)])),
    closedAt: closedAtMs === null ? null : iso(closedAtMs),
  };
}

const pad = (micros: number): string => String(((micros % 1000) + 1000) % 1000).padStart(3, '0');
