// What `weir sessions` says: the sessions that were asked for, and what there is besides; or why there is none.
import { formatDuration } from '../pipeline/duration.ts';
import type { Session, SessionCounts, SessionSelection } from '../postgres/read-sessions.ts';
import { grouped, plural, timeText } from './output.ts';
import { sessionLines, sessionTable } from './session-text.ts';

/** What was asked for, and what there is in all. `gapMs`: of a session. */
type Asked = SessionSelection & { readonly counts: SessionCounts; readonly gapMs: number };

/** The lines: sessions, and how many there are besides; or why there is none. */
export function sessionReport(sessions: readonly Session[], asked: Asked): string[] {
  if (sessions.length === 0) return [whyNone(asked)];
  const shown =
    typeof asked.of === 'string'
      ? [sessionTable(sessions), '']
      : sessions.flatMap((session) => [...sessionLines(session), '']);
  return [...shown, whatElse(sessions.length, asked)];
}

/** The last line: how many there are besides. */
function whatElse(shown: number, { of, counts, limit }: Asked): string {
  const more = shown === limit ? `, the newest ${grouped(shown)} shown (--limit)` : '';
  if (typeof of !== 'string') return `${plural(shown, 'session')}${shown === limit ? ' shown (--limit)' : ''}.`;
  const open = `${grouped(counts.open)} open`;
  const closed = plural(counts.closed, 'closed session');
  return of === 'open'
    ? `${plural(counts.open, 'open session')}${more}; ${grouped(counts.closed)} closed.`
    : `${closed}${more}; ${open}${counts.open === 0 ? '' : ' (--open)'}.`;
}

function whyNone({ of, sinceMs, counts, gapMs }: Asked): string {
  const none = counts.closed + counts.open === 0;
  if (none) {
    return 'There is no session yet: the first is there when a minute with events has closed; `weir status` says how far the low watermark is.';
  }
  const there = `${grouped(counts.closed)} closed, ${grouped(counts.open)} open`;
  if (typeof of !== 'string') {
    return `User ${of.userId} has no session${sinceText(sinceMs)}; all users together: ${there}. Ids are compared to the letter.`;
  }
  if (sinceMs !== null) return `No ${of} session${sinceText(sinceMs)}; in all: ${there}.`;
  if (of === 'open') {
    return counts.open === 0
      ? `No session is open; ${grouped(counts.closed)} have closed: \`weir sessions\` shows them.`
      : `${grouped(counts.open)} are open, but what they were so far is not in this schema: it was restored from a snapshot.`;
  }
  return `No session has closed yet: ${grouped(counts.open)} open, and one closes when event time has passed its last event by the session gap (${formatDuration(gapMs)}). \`weir sessions --open\` shows them.`;
}

const sinceText = (ms: number | null): string => (ms === null ? '' : ` that started since ${timeText(ms)}`);
