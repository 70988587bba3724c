// `weir late`: events that came after their minute had closed: how late, and what became of them.
import { Option } from 'commander';
import type { Command } from 'commander';
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { parseMoment } from '../pipeline/moment.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { amount } from '../pipeline/setting-values.ts';
import { countLateByDistance, readLateEvents } from '../postgres/late-list.ts';
import type { LateCount, LateEvent, LateState, TakenInto } from '../postgres/late-list.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { grouped, plural, printJson, printLine, tableOf, timeText } from './output.ts';
import { notRestored } from './pipeline-schema.ts';
import { withPool } from './with-servers.ts';

type Flags = {
  readonly beyondHorizon?: boolean;
  readonly waiting?: boolean;
  readonly applied?: boolean;
  readonly since?: number;
  readonly limit: number;
  readonly json?: boolean;
};

/** The command. */
export function lateCommand(): Command {
  return createCommand({
    name: 'late',
    summary:
      'events that came after their minute had closed: how late, and into which windows and sessions they were taken',
    more: 'Late is against closed_through when the event was committed. A late event waits for the next amendment (amend interval), which gives the windows over it and its session a next revision where it changes them; one further behind than the amend horizon is kept and listed here, and left out of the results.',
    examples: [
      ['weir late', 'how many by how late they were, and the last ones'],
      ['weir late --beyond-horizon --since 1d --json', 'what the results of the last day lack, for programs'],
    ],
    settings: ['schema', 'home', 'postgresUrl', 'logLevel'],
  })
    .addOption(
      new Option('--beyond-horizon', 'only those that are left out of the results').conflicts(['waiting', 'applied']),
    )
    .addOption(new Option('--waiting', 'only those that the next amendment takes in').conflicts('applied'))
    .option('--applied', 'only those that the results hold')
    .option(
      '--since <time>',
      'only those that came since then: a time, or how long ago, such as 2h',
      parsedBy(sinceTime),
    )
    .option('--limit <count>', 'events to show', parsedBy(amount(1, 10_000)), 20)
    .option('--json', 'print JSON')
    .action(async (flags: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      const selection = { state: stateOf(flags), sinceMs: flags.since ?? null };
      await withPool(settings, async (pool) => {
        const counts = await countLateByDistance(pool, settings.schema, selection);
        const events = await readLateEvents(pool, settings.schema, { ...selection, limit: flags.limit });
        if (flags.json) printJson({ counts: counts.map(countJson), events: events.map(eventJson) });
        else if (counts.every(isNone)) printLine(await noneSentence(pool, settings.schema, flags));
        else printLate(counts, events);
      });
    });
}

const sinceTime = (text: string): number => parseMoment(text, Date.now());

function stateOf({ beyondHorizon, waiting, applied }: Flags): LateState | null {
  if (beyondHorizon) return 'beyond-horizon';
  if (waiting) return 'waiting';
  return applied ? 'applied' : null;
}

const countJson = ({ fromMs, toMs, waiting, applied, beyondHorizon }: LateCount) => ({
  lateFromMs: fromMs,
  lateToMs: toMs,
  waiting,
  applied,
  beyondHorizon,
});

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const eventJson = (event: LateEvent) => ({
  eventId: event.eventId,
  eventType: event.eventType,
  occurredAt: iso(event.occurredAtMs),
  lateByMs: event.lateByMs,
  partition: event.partition,
  offset: event.offset,
  recordedAt: iso(event.recordedAtMs),
  state: event.state,
  appliedAt: iso(event.appliedAtMs),
  amended: event.takenInto.map(({ aggregate, startMs, revision }) => ({
    aggregate,
    windowStart: iso(startMs),
    revision,
  })),
});

const isNone = ({ waiting, applied, beyondHorizon }: LateCount): boolean => waiting + applied + beyondHorizon === 0;

async function noneSentence(pool: pg.Pool, schema: string, flags: Flags): Promise<string> {
  if (stateOf(flags) !== null || flags.since !== undefined) return 'No late event is meant by these filters.';
  return (await notRestored(pool, schema, 'late events')) ?? 'No event came late.';
}

function printLate(counts: readonly LateCount[], events: readonly LateEvent[]): void {
  const total = counts.reduce((sum, of) => sum + of.waiting + of.applied + of.beyondHorizon, 0);
  const rows = counts.map((of) => [distanceText(of), ...[of.waiting, of.applied, of.beyondHorizon].map(grouped)]);
  printLine(tableOf(['late by', 'waiting', 'applied', 'beyond horizon'], rows));
  printLine();
  printLine(tableOf(['event time', 'late by', 'type', 'place', 'came', 'what became of it'], events.map(cells)));
  const more = total > events.length ? `, of which the last ${grouped(events.length)} are shown (--limit)` : '';
  printLine(`\n${plural(total, 'late event')}${more}.`);
}

function distanceText({ fromMs, toMs }: LateCount): string {
  if (toMs === null) return `${formatDuration(fromMs)} and more`;
  return fromMs === 0 ? `up to ${formatDuration(toMs)}` : `${formatDuration(fromMs)} to ${formatDuration(toMs)}`;
}

function cells(event: LateEvent): string[] {
  return [
    new Date(event.occurredAtMs).toISOString(),
    formatDuration(Math.ceil(event.lateByMs / 1000) * 1000),
    event.eventType ?? '-',
    `${event.partition}/${event.offset}`,
    timeText(event.recordedAtMs),
    becameText(event),
  ];
}

function becameText({ state, appliedAtMs, takenInto }: LateEvent): string {
  if (state === 'waiting') return 'waits for the next amendment';
  if (state === 'beyond-horizon') return 'beyond the amend horizon: in no result';
  const names = [...AGGREGATES.map(({ name }) => name), SESSIONS, FUNNEL];
  const into = names.flatMap((name) => windowsText(name, takenInto));
  const at = `applied ${timeText(appliedAtMs)}`;
  return into.length === 0 ? `${at}, when its windows were still open` : `${at}: ${into.join(', ')}`;
}

/** `event_counts 10:02 (revision 2)`, or several windows of an aggregate in one. */
function windowsText(aggregate: string, takenInto: readonly TakenInto[]): string[] {
  const windows = takenInto.filter((one) => one.aggregate === aggregate);
  const [first, last] = [windows[0], windows.at(-1)];
  if (first === undefined || last === undefined) return [];
  const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
  const revision = Math.max(...windows.map((one) => one.revision));
  const starts = first === last ? clock(first.startMs) : `${clock(first.startMs)} to ${clock(last.startMs)}`;
  return [`${aggregate} ${starts} (revision ${revision})`];
}
