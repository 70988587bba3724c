// A status as people read it: how far in one glance, then a line a partition.
import { formatDuration } from '../pipeline/duration.ts';
import { grouped, plural, styled, tableOf, timeText } from './output.ts';
import type { StatusReport } from './status-report.ts';

/** The lines of `weir status`. */
export function statusLines(report: StatusReport): string[] {
  return [...summaryLines(report), '', partitionTable(report.partitions)];
}

/** Rates, lag, watermark and windows: the part that the live view shows too. */
export function summaryLines(report: StatusReport): string[] {
  const { rates, totals } = report;
  if (report.restoredFrom !== null) return restoredLines(report, report.restoredFrom);
  const state = report.caughtUp ? styled('green', 'caught up') : styled('yellow', 'working');
  const lines = [
    `${styled('bold', report.topic)}: ${state}`,
    `  events      ${rates ? `${grouped(rates.producedPerSecond)}/s in, ${grouped(rates.committedPerSecond)}/s committed` : 'rates with the next reading'}`,
    `  lag         ${plural(report.lag, 'message')}, ${lagText(report.lagSeconds)}`,
    storedLine(totals),
    `  watermark   ${instantText(report.lowWatermark, report.takenAt)}${heldText(report)}`,
    windowsLine(report),
    `  sessions    ${grouped(report.sessions.closed)} closed, ${grouped(report.sessions.open)} open`,
    ...lettersLine(report),
  ];
  return [
    ...lines,
    ...[...unreadyLines(report), ...problemLines(report.partitions), ...unpublishedLines(report)].map(
      (line) => `  ${line}`,
    ),
  ];
}

/** What keeps the pipeline from going on, a sentence each, without any style. */
export function problemTexts(report: StatusReport): string[] {
  const { restoredFrom } = report;
  if (restoredFrom !== null) return [`Restored from snapshot ${restoredFrom.snapshot}: nothing is read into it.`];
  const problems = report.partitions.map(({ problem }) => problem).filter((problem) => problem !== null);
  return [...problems, ...unreadyTexts(report), ...unpublishedTexts(report)];
}

/** A restored schema is no pipeline: it is behind its topic for good, and holds no letters. */
function restoredLines(
  report: StatusReport,
  { snapshot, schema, takenAt }: NonNullable<StatusReport['restoredFrom']>,
): string[] {
  const since = timeText(Date.parse(takenAt));
  return [
    `${styled('bold', report.schema)}: restored from snapshot ${snapshot} of schema ${schema}, as it was at ${since}; nothing is read into it`,
    storedLine(report.totals),
    windowsLine(report),
  ];
}

function storedLine({ recorded, late, duplicate, rejected, skipped }: StatusReport['totals']): string {
  return `  stored      ${grouped(recorded)} recorded (${grouped(late)} late), ${grouped(duplicate)} duplicate, ${grouped(rejected)} rejected, ${grouped(skipped)} skipped`;
}

function windowsLine({ totals, writtenThrough }: StatusReport): string {
  const through = writtenThrough === null ? '-' : timeText(Date.parse(writtenThrough));
  return `  windows     ${grouped(totals.windows)} closed through ${through}${waitingText(totals)}`;
}

const unreadyLines = (report: StatusReport): string[] => unreadyTexts(report).map((text) => styled('yellow', text));

function unreadyTexts({ workers }: StatusReport): string[] {
  return workers.filter(({ ready }) => !ready).map(({ name, reasons }) => `${name} is not ready: ${reasons.join(' ')}`);
}

/** What keeps partitions from going on, and the command that helps. */
export function problemLines(partitions: StatusReport['partitions']): string[] {
  return partitions.flatMap(({ problem }) => (problem === null ? [] : [styled('red', problem)]));
}

const unpublishedLines = (report: StatusReport): string[] =>
  unpublishedTexts(report).map((text) => styled('yellow', text));

function unpublishedTexts({ publication: { problem, waiting, atLeast, waitedSeconds } }: StatusReport): string[] {
  if (problem === null) return [];
  const letters = `${atLeast ? 'at least ' : ''}${plural(waiting, 'letter')}`;
  return [`${problem} (${letters}, for up to ${formatDuration(waitedSeconds * 1000)})`];
}

/** The whole status in one line, for logs. */
export function plainLine(report: StatusReport): string {
  const { rates, totals } = report;
  const flow = rates
    ? `in ${grouped(rates.producedPerSecond)}/s, committed ${grouped(rates.committedPerSecond)}/s`
    : 'rates unknown yet';
  return `${report.takenAt.slice(11, 19)} ${flow}, lag ${plural(report.lag, 'message')} (${lagText(report.lagSeconds)}), recorded ${grouped(totals.recorded)}, windows ${grouped(totals.windows)}, low watermark ${report.lowWatermark === null ? '-' : timeText(Date.parse(report.lowWatermark))}${report.caughtUp ? ', caught up' : ''}`;
}

/** A line a partition. */
export function partitionTable(partitions: StatusReport['partitions']): string {
  const headings = [
    'partition',
    'next',
    'end',
    'lag',
    'recorded',
    'duplicate',
    'late',
    'rejected',
    'skipped',
    'watermark',
    '',
  ];
  const rows = partitions.map((of) => [
    String(of.partition),
    of.nextOffset ?? '-',
    of.endOffset,
    grouped(of.lag),
    grouped(of.recorded),
    grouped(of.duplicate),
    grouped(of.late),
    grouped(of.rejected),
    grouped(of.skipped),
    of.watermark?.slice(0, 19) ?? '-',
    stateText(of),
  ]);
  return tableOf(headings, rows);
}

function stateText({ problem, idle }: StatusReport['partitions'][number]): string {
  if (problem !== null) return styled('red', 'lost range');
  return idle ? 'idle' : '';
}

function lagText(seconds: number | null): string {
  return seconds === null ? 'age unknown' : ageText(seconds);
}

/** Seconds as people say them. */
export function ageText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return seconds < 120 ? `${Math.round(seconds)} s` : formatDuration(Math.round(seconds) * 1000);
}

function instantText(iso: string | null, takenAt: string): string {
  if (iso === null) return '- (no event yet)';
  const ageMs = Date.parse(takenAt) - Date.parse(iso);
  const age = formatDuration(Math.round(Math.abs(ageMs) / 1000) * 1000);
  return `${timeText(Date.parse(iso))}, ${age} ${ageMs >= 0 ? 'ago' : 'ahead'}`;
}

const HOLD_TEXT = {
  'no-event-yet': 'which has no event yet',
  'unread-messages': 'which has unread messages',
  'read-to-the-end-recently': 'which was read to its end only just now',
} as const;

/** Which partition holds the low watermark, and why; begins with a comma, or is empty. */
export function heldText({ heldBackBy }: StatusReport): string {
  return heldBackBy === null ? '' : `, held by partition ${heldBackBy.partition} (${HOLD_TEXT[heldBackBy.reason]})`;
}

/** Late events that are in no window yet; begins with a semicolon, or is empty. */
export function waitingText({ lateWaiting, lateLeftOut }: StatusReport['totals']): string {
  const waiting = lateWaiting === 0 ? '' : `; ${plural(lateWaiting, 'late event')} still to be taken in`;
  return `${waiting}${lateLeftOut === 0 ? '' : `; ${grouped(lateLeftOut)} left out, beyond the horizon (\`weir late\`)`}`;
}

/** Reasons named in one line. */
const TOP_REASONS = 3;

function lettersLine({ letters }: StatusReport): string[] {
  const text = lettersText(letters);
  return text === null ? [] : [`  letters     ${text}: \`weir dead-letters list\``];
}

/** How many dead letters wait for somebody, and for what reasons most of them; null when none does. */
export function lettersText({ open, parked, atLeast, reasons }: StatusReport['letters']): string | null {
  if (open === 0 && parked === 0) return null;
  const top = reasons.slice(0, TOP_REASONS).map(({ reason, letters }) => `${grouped(letters)} ${reason}`);
  const others = reasons.length > TOP_REASONS ? [...top, 'others'] : top;
  const named = others.length === 0 ? '' : ` (${others.join(', ')})`;
  const parkedText = parked === 0 ? '' : `, ${grouped(parked)} parked`;
  return `${atLeast ? 'at least ' : ''}${grouped(open)} open${named}${parkedText}`;
}
