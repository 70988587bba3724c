// `weir funnel`: how far sessions came, step by step, and where they were lost.
import { Option } from 'commander';
import type { Command } from 'commander';
import type pg from 'pg';

import { FUNNELS } from '../pipeline/funnel.ts';
import { parseMoment } from '../pipeline/moment.ts';
import { amount } from '../pipeline/setting-values.ts';
import { FUNNEL_GROUPS, newestSessionStart, readFunnels } from '../postgres/read-funnel.ts';
import type { FunnelCount, FunnelRange } from '../postgres/read-funnel.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { funnelReport } from './funnel-text.ts';
import { printJson, printLine, timeText } from './output.ts';
import { openProgressLine } from './progress-line.ts';
import { withPool } from './with-servers.ts';

type Flags = {
  readonly name?: string;
  readonly by?: (typeof FUNNEL_GROUPS)[number];
  readonly from?: number;
  readonly to?: number;
  readonly limit: number;
  readonly json?: boolean;
};

const DAY_MS = 86_400_000;
const moment = parsedBy((given: string) => parseMoment(given, Date.now()));

/** The command. */
export function funnelCommand(): Command {
  return createCommand({
    name: 'funnel',
    summary: 'how many sessions reached each step of a funnel, how fast, and what they spent',
    more: 'Counts the sessions that started in the range, without --from and --to those of the last day that has any. Steps count in their order, within one session and the limit of the funnel; done again they count once. What open sessions reached so far is counted too, drawn as + and provisional: they may still come further. Amounts are summed as they are, whatever their currency.',
    examples: [
      ['weir funnel', 'every funnel, the last day'],
      ['weir funnel --name shopping --by device', 'one funnel, for each kind of device'],
      ['weir funnel --from 2026-11-23T08:00Z --to 2026-11-23T09:00Z --json', 'an hour, for programs'],
    ],
    settings: ['schema', 'home', 'postgresUrl', 'logLevel'],
  })
    .addOption(new Option('--name <funnel>', 'only this funnel').choices(FUNNELS.map(({ name }) => name)))
    .addOption(new Option('--by <group>', 'apart for each device or location').choices([...FUNNEL_GROUPS]))
    .option('--from <time>', 'sessions that started then or later: a time, or how long ago, such as 2h', moment)
    .option('--to <time>', 'sessions that started earlier than this', moment)
    .option('--limit <count>', 'groups of --by to show, the largest first', parsedBy(amount(1, 10_000)), 10)
    .option('--json', 'print JSON')
    .action(async (flags: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      await withPool(settings, async (pool) => {
        const range = await rangeOf(pool, settings.schema, flags);
        const by = flags.by ?? null;
        const progress = openProgressLine();
        progress.show('Counting sessions ...');
        const all = await readFunnels(pool, settings.schema, { ...range, by }).finally(progress.clear);
        const funnels = all.filter(({ funnel }) => flags.name === undefined || funnel === flags.name);
        if (flags.json) printJson(funnelJson(funnels, { ...range, by }));
        else printLine(funnelReport(funnels, { ...range, by, limit: flags.limit }).join('\n'));
      });
    });
}

/** The last day of event time where neither end is given. */
async function rangeOf(pool: pg.Pool, schema: string, { from, to }: Flags): Promise<FunnelRange> {
  if (from !== undefined && to !== undefined && from >= to) {
    throw new CliFailure(`--from ${timeText(from)} is not before --to ${timeText(to)}: nothing lies between them.`);
  }
  if (from !== undefined || to !== undefined) return { fromMs: from ?? null, toMs: to ?? null };
  const newestMs = await newestSessionStart(pool, schema);
  return { fromMs: newestMs === null ? null : newestMs - DAY_MS, toMs: null };
}

type Asked = FunnelRange & { readonly by: Flags['by'] | null };

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function funnelJson(counts: readonly FunnelCount[], { fromMs, toMs, by }: Asked): unknown {
  const named = FUNNELS.filter(({ name }) => counts.some(({ funnel }) => funnel === name));
  return {
    from: iso(fromMs),
    to: iso(toMs),
    by,
    funnels: named.map(({ name, withinMs }) => ({
      name,
      withinMs,
      groups: counts
        .filter(({ funnel }) => funnel === name)
        .map(({ group, sessions, open, steps }) => ({ group, sessions, open, provisional: open > 0, steps })),
    })),
  };
}
