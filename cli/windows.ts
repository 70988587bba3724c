// `weir windows`: which windows have closed, and what the newest of an aggregate says.
import { Option } from 'commander';
import type { Command } from 'commander';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { parseMoment } from '../pipeline/moment.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { amount } from '../pipeline/setting-values.ts';
import { newestResultRows, newestWindows } from '../postgres/closed-windows.ts';
import { FUNNEL_TABLE } from '../postgres/settle-funnels.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { grouped, printJson, printLine, tableOf, timeText } from './output.ts';
import { explainWindows } from './window-why.ts';
import { withPool } from './with-servers.ts';

type Flags = {
  readonly aggregate?: string;
  readonly why?: number;
  readonly limit: number;
  readonly json?: boolean;
};

/** The command. */
export function windowsCommand(): Command {
  return createCommand({
    name: 'windows',
    summary: 'the newest closed windows; with --aggregate also the rows of its newest one, with --why the story of one',
    more: '--why takes the window of each aggregate (or of --aggregate) that starts at this time, or last before it. It says what a window that is not closed waits for, or when it closed and what amended it since. In the windows of the funnels, events are sessions: those that started there.',
    examples: [
      ['weir windows', 'what closed last'],
      ['weir windows --aggregate purchase_metrics', 'windows and rows of one result table'],
      ['weir windows --why 2026-11-23T10:05Z', 'why the windows of 10:05 are not closed, or what became of them'],
    ],
    settings: [...WHERE, 'latenessMs', 'idleAfterMs', 'maxFutureMs'],
  })
    .addOption(
      new Option('--aggregate <name>', `only windows of this one: ${WINDOWED.join(', ')}`).argParser(
        parsedBy(aggregateName),
      ),
    )
    .option('--why <window>', 'why it is not closed, or what became of it: a time in it', parsedBy(windowTime))
    .option('--limit <count>', 'windows (and rows) to show', parsedBy(amount(1, 10_000)), 20)
    .option('--json', 'print JSON')
    .action(async (flags: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      const { limit, json } = flags;
      const name = flags.aggregate ?? null;
      const aggregate = AGGREGATES.find((each) => each.name === name) ?? null;
      if (flags.why !== undefined) {
        const aggregates = name === null ? AGGREGATES : aggregate === null ? [] : [aggregate];
        const funnel = name === null || name === FUNNEL;
        await explainWindows(settings, { atMs: flags.why, aggregates, funnel, json: json ?? false });
        return;
      }
      await withPool(settings, async (pool) => {
        const windows = await newestWindows(pool, settings.schema, { aggregate: name, limit });
        const table = name === FUNNEL ? FUNNEL_TABLE : aggregate;
        const result = table && (await newestResultRows(pool, settings.schema, { table, limit }));
        if (json)
          printJson({
            windows: windows.map(windowJson),
            result: result?.rows.map((row) => rowJson(result.columns, row)),
          });
        else printWindows(windows, result);
      });
    });
}

/** What has windows. */
const WINDOWED: readonly string[] = [...AGGREGATES.map(({ name }) => name), FUNNEL];

function aggregateName(given: string): string {
  if (given === SESSIONS) {
    throw new Error('Sessions have no windows: each closes by itself, and `weir sessions` lists them');
  }
  if (!WINDOWED.includes(given)) throw new Error(`Allowed choices are ${WINDOWED.join(', ')}`);
  return given;
}

const windowTime = (text: string): number => parseMoment(text, Date.now());

type Windows = Awaited<ReturnType<typeof newestWindows>>;
type Result = Awaited<ReturnType<typeof newestResultRows>>;

const windowJson = ({ aggregate, startMs, endMs, revision, events, closedAtMs }: Windows[number]) => ({
  aggregate,
  windowStart: new Date(startMs).toISOString(),
  windowEnd: new Date(endMs).toISOString(),
  revision,
  events,
  closedAt: new Date(closedAtMs).toISOString(),
});

const rowJson = (columns: readonly string[], row: readonly string[]) =>
  Object.fromEntries(columns.map((column, at) => [column, row[at]]));

function printWindows(windows: Windows, result: Result | null): void {
  if (windows.length === 0) {
    printLine('No window has closed yet; `weir status` says how far the low watermark is.');
    return;
  }
  const rows = windows.map((of) => [
    of.aggregate,
    timeText(of.startMs),
    timeText(of.endMs),
    String(of.revision),
    grouped(of.events),
    timeText(of.closedAtMs),
  ]);
  printLine(tableOf(['aggregate', 'start', 'end', 'revision', 'events', 'closed at'], rows));
  if (result) printLine(`\n${tableOf(result.columns, result.rows)}`);
}
