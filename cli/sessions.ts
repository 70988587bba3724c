// `weir sessions`: how sessions ended, which are open, and what one user did.
import { Option } from 'commander';
import type { Command } from 'commander';

import { parseMoment } from '../pipeline/moment.ts';
import { amount } from '../pipeline/setting-values.ts';
import { countSessions, readSessions } from '../postgres/read-sessions.ts';
import { readSessionRules } from '../postgres/session-rules.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { printJson, printLine } from './output.ts';
import { sessionReport } from './session-report.ts';
import { sessionJson } from './session-text.ts';
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
    settings: ['schema', 'topic', 'home', 'postgresUrl', 'logLevel'],
  })
    .option('--user <id>', 'only those of this user, closed and open')
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
        else {
          const { gapMs } = await readSessionRules(pool, settings);
          const asked = { ...selection, counts, gapMs };
          printLine(sessionReport(sessions, asked).join('\n'));
        }
      });
    });
}
