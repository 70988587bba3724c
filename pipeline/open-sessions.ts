// Sessions that are open hold open the window that they started in: which of them, and until when.
import { readable } from './readable-bytes.ts';
import { sessionClosesAt } from './session.ts';
import type { SessionRules } from './session.ts';
import type { WhyOpen } from './why-open.ts';

/** Times are epoch ms. What the user does from `cutAtMs` on, a whole minute, is another session. */
export type OpenSession = {
  readonly userId: string;
  readonly startMs: number;
  readonly lastAtMs: number;
  readonly cutAtMs: number;
};

/** `count` sessions that started in a window are open; `last` is the one of them that closes last if nobody goes on. */
export type OpenSessions = { readonly count: number; readonly last: OpenSession };

/** Why a window waits for its open sessions, with the times at which event time ends that. */
export function heldOpenBy({ count, last }: OpenSessions, rules: SessionRules): WhyOpen {
  const closesMs = sessionClosesAt(last.lastAtMs, rules);
  // However long the user goes on: seen last just before the cut.
  const latestMs = Math.max(closesMs, sessionClosesAt(last.cutAtMs - 1, rules));
  const later = latestMs === closesMs ? '' : `, later if the user goes on, at the latest at ${iso(latestMs)}`;
  const head =
    count === 1
      ? 'One session that started in it is open, that'
      : `${count.toLocaleString('en-US')} sessions that started in it are open; the last to close is that`;
  const sentence = `${head} of user ${readable(Buffer.from(last.userId))}: since ${iso(last.startMs)}, last seen ${iso(last.lastAtMs)}. It closes when event time has come to ${iso(closesMs)}${later}.`;
  return { reason: 'open-sessions', partition: null, sentence };
}

const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
