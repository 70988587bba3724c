// The report on an export as people read it: tables, each with a bar a line.
import type { ExportReport } from '../generator/export-report.ts';
import { shareOf } from '../generator/shop-report.ts';
import type { Range } from '../generator/tally.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { bar, percents } from './bar.ts';
import { grouped, plural, tableOf } from './output.ts';

/** The lines of `weir generator stats`. */
export function exportLines(report: ExportReport): string[] {
  const { messages, bytes, events, duplicates, malformed } = report;
  const counts = `${plural(messages, 'message')}, ${(bytes / 1e6).toFixed(1)} MB: ${plural(events, 'event')}, ${plural(duplicates, 'duplicate')}, ${grouped(malformed)} malformed.`;
  if (events === 0) return [counts, ...sections([malformedTable(report)])];
  return [
    counts,
    spanSentence(report),
    ...sections([
      mixTable(report),
      funnelTable(report),
      sessionTable(report),
      durationTable(report),
      behindTable(report),
      repeatTable(report),
      malformedTable(report),
      versionTable(report),
    ]),
  ];
}

const sections = (tables: readonly (string | null)[]): string[] =>
  tables.flatMap((table) => (table === null ? [] : ['', table]));

function spanSentence({ firstMs, lastMs, shop }: ExportReport): string {
  const [from, to] = [firstMs ?? 0, lastMs ?? 0];
  const users = shop.users === null ? 'more than 1,000,000 users' : plural(shop.users, 'user');
  return `Of ${iso(from)} to ${iso(to)} (${lengthText(to - from)}), by ${users}.`;
}

const iso = (ms: number): string => new Date(ms).toISOString();

type Line = { readonly label: string; readonly count: number; readonly of: number };

/** `of`: what 100 % is; bars of one table share the longest, so that small differences show. */
function barTable(headings: readonly [string, string], lines: readonly Line[]): string {
  const most = Math.max(...lines.map(({ count, of }) => shareOf(count, of)));
  const rows = lines.map(({ label, count, of }) => {
    const share = shareOf(count, of);
    return [label, grouped(count), percents(share), bar(shareOf(share, most))];
  });
  return tableOf([...headings, '%', ''], rows);
}

function mixTable({ shop }: ExportReport): string {
  return barTable(
    ['type', 'events'],
    shop.mix.map(({ type, events }) => ({ label: type, count: events, of: shop.events })),
  );
}

function funnelTable({ shop: { funnel, sessions } }: ExportReport): string {
  const rows = funnel.map(({ step, reached, rate }) => {
    const share = shareOf(reached, sessions.sessions);
    return [step, grouped(reached), percents(share), percents(rate), bar(share)];
  });
  rows.unshift(['(all sessions)', grouped(sessions.sessions), percents(1), '', bar(1)]);
  return tableOf(['reached, in order', 'sessions', '% of all', '% of the step before', ''], rows);
}

function sessionTable({ shop: { sessions } }: ExportReport): string {
  const { meanEvents, mostEvents, byEvents } = sessions;
  const table = barTable(
    ['events in session', 'sessions'],
    byEvents.map((range) => ({ label: countText(range), count: range.count, of: sessions.sessions })),
  );
  return `${table}\n ${meanEvents.toFixed(1)} on the average, at most ${grouped(mostEvents)}.`;
}

function durationTable({ shop: { sessions } }: ExportReport): string {
  const { meanDurationMs, byDurationMs } = sessions;
  const table = barTable(
    ['length of session', 'sessions'],
    byDurationMs.map((range) => ({ label: durationText(range), count: range.count, of: sessions.sessions })),
  );
  return `${table}\n ${lengthText(meanDurationMs)} on the average.`;
}

function behindTable({ behind, mostBehindMs, events }: ExportReport): string {
  const [inOrder, ...others] = behind;
  const table = barTable(
    ['behind the newest event', 'events'],
    [
      { label: 'not at all', count: inOrder?.count ?? 0, of: events },
      ...others.map((range) => ({ label: durationText(range), count: range.count, of: events })),
    ],
  );
  return mostBehindMs === 0 ? table : `${table}\n ${lengthText(mostBehindMs)} at most.`;
}

function repeatTable({ repeated, duplicates, messages }: ExportReport): string | null {
  if (duplicates === 0) return null;
  const [atOnce, soon, later] = repeated;
  return barTable(
    ['duplicates', 'messages'],
    [
      { label: 'of the message before', count: atOnce?.count ?? 0, of: messages },
      { label: 'of one of the last 5,000', count: soon?.count ?? 0, of: messages },
      { label: 'of one before those', count: later?.count ?? 0, of: messages },
    ],
  );
}

function malformedTable({ reasons, malformed, messages }: ExportReport): string | null {
  if (malformed === 0) return null;
  return barTable(
    ['malformed', 'messages'],
    reasons.map((each) => ({ label: each.reason, count: each.messages, of: messages })),
  );
}

function versionTable({ versions, events }: ExportReport): string | null {
  if (versions.every(({ version }) => version === 1)) return null;
  return barTable(
    ['schema version', 'events'],
    versions.map(({ version, events: count }) => ({ label: `version ${version}`, count, of: events })),
  );
}

function countText({ from, to }: Range): string {
  if (to === null) return `${from} and more`;
  return to - from === 1 ? `${from}` : `${from} to ${to - 1}`;
}

function durationText({ from, to }: Range): string {
  if (to === null) return `${formatDuration(from)} and more`;
  return from <= 1 ? `less than ${formatDuration(to)}` : `${formatDuration(from)} to ${formatDuration(to)}`;
}

/** As exact as somebody wants to know it. */
const lengthText = (ms: number): string =>
  formatDuration(
    ms < 1_000 ? Math.round(ms) : ms < 60_000 ? Math.round(ms / 100) * 100 : Math.round(ms / 1_000) * 1_000,
  );
