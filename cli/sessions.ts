// `weir sessions`: how sessions ended, which are open, and what one user did.
import { Option } from 'commander';
import type { Command } from 'commander';

import { formatDuration } from '../pipeline/duration.ts';
import { parseMoment } from '../pipeline/moment.ts';
import { amount, text } from '../pipeline/setting-values.ts';
import { countSessions, readSessions } from '../postgres/read-sessions.ts';
import type { Session, SessionCounts, SessionSelection } from '../postgres/read-sessions.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { grouped, plural, printJson, printLine, timeText } from './output.ts';
import { sessionJson, sessionLines, sessionTable } from './session-text.ts';
import { withPool } from './with-servers.ts';

type Flags = {
  readonly user?: string;
  readonly open?: boolean;
  readonly since?: number;
  readonly limit: number;
  readonly json?: boolean;
};

/** The command. */
export function sessionsCommand(): Command {
  return createCommand({
    name: 'sessions',
    summary: 'how the newest sessions ended; with --open those that go on, with --user what one user did',
    more: 'A session is what one user did without a break longer than the session gap, whatever session ids the clients sent. It closes when event time has passed its last event by the gap; until then it is provisional: what it was so far, in minutes that are closed. A late event that lengthens, merges or reopens closed sessions gives them a next revision.',
    examples: [
      ['weir sessions', 'the newest sessions that have closed, and what came of them'],
      ['weir sessions --user user_000042', 'all that one user did, the open session included'],
      ['weir sessions --open --since 10m --json', 'those that began ten minutes ago or later, for programs'],
    ],
    settings: ['schema', 'home', 'postgresUrl', 'sessionGapMs', 'logLevel'],
  })
    .option('--user <id>', 'only those of this user, closed and open', parsedBy(text))
    .addOption(new Option('--open', 'only those that are open: provisional').conflicts('user'))
    .option(
      '--since <time>',
      'only those that started since then: a time, or how long ago, such as 2h',
      parsedBy((given: string) => parseMoment(given, Date.now())),
    )
    .option('--limit <count>', 'sessions to show', parsedBy(amount(1, 10_000)), 20)
    .option('--json', 'print JSON')
    .action(async (flags: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      const of = flags.user === undefined ? (flags.open ? 'open' : 'closed') : { userId: flags.user };
      const selection = { of, sinceMs: flags.since ?? null, limit: flags.limit } as const;
      await withPool(settings, async (pool) => {
        const sessions = await readSessions(pool, settings.schema, selection);
        const counts = await countSessions(pool, settings.schema);
        if (flags.json) printJson({ ...counts, sessions: sessions.map(sessionJson) });
        else printSessions(sessions, { ...selection, counts, gapMs: settings.sessionGapMs });
      });
    });
}

type Asked = SessionSelection & { readonly counts: SessionCounts; readonly gapMs: number };

function printSessions(sessions: readonly Session[], asked: Asked): void {
  if (sessions.length === 0) {
    printLine(whyNone(asked));
    return;
  }
  if (typeof asked.of === 'string') printLine(sessionTable(sessions));
  else for (const session of sessions) printLine(`${sessionLines(session).join('\n')}\n`);
  if (typeof asked.of === 'string') printLine();
  printLine(whatElse(sessions.length, asked));
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
