// The full-screen view of `weir status --watch` as lines: never more than the terminal has rows, none wider than its columns.
import { formatDuration } from '../pipeline/duration.ts';
import type { ClosedWindow } from '../postgres/closed-windows.ts';
import { sparkline, scale } from './marks.ts';
import type { Marks } from './marks.ts';
import { grouped, plural } from './output.ts';
import type { StatusReport } from './status-report.ts';
import { ageText, heldText, lettersText, problemTexts, waitingText } from './status-text.ts';
import { cut, dim, plain, spread } from './styled-line.ts';
import type { Line, LineStyle } from './styled-line.ts';
import type { WatchHistory } from './watch-history.ts';
import { partitionLines, windowLines } from './watch-tables.ts';

export type Watched = {
  readonly report: StatusReport;
  readonly history: WatchHistory;
  /** The newest closed windows, newest first. */
  readonly windows: readonly ClosedWindow[];
  /** Why the last reading failed, and what is shown is older; null when it is fresh. */
  readonly trouble: string | null;
};

export type Screen = { readonly columns: number; readonly rows: number; readonly marks: Marks };

/** The lines from top to bottom. */
export function watchView(watched: Watched, screen: Screen): Line[] {
  const { report, windows, trouble } = watched;
  const { columns, rows } = screen;
  const told = trouble === null ? problemTexts(report) : [trouble];
  // What is wrong must be read, but not push everything else off the screen.
  const problems = told
    .flatMap((text) => wrapped(text, columns))
    .slice(0, Math.max(1, Math.floor(rows / PROBLEM_SHARE)));
  const gap: Line[] = problems.length === 0 ? [[]] : [];
  const top: Line[] = [headline(watched, columns), ...gap, ...figureLines(watched, screen)];
  const red: LineStyle = 'red';
  const alarm: Line[] = problems.map((text) => [[text, red]]);
  const footer: Line = [dim('Ctrl-C or q ends; `weir health` says whether it is well')];
  const left = rows - top.length - alarm.length - 1;
  const tables = tableLines(report, windows, { screen, left, history: watched.history });
  return [...top, ...alarm, ...tables, footer].slice(0, rows).map((line) => cut(line, columns));
}

type Room = { readonly screen: Screen; readonly left: number; readonly history: WatchHistory };

/** Windows get a few lines, partitions the rest; blank lines between go first when there is no room. */
function tableLines(report: StatusReport, windows: readonly ClosedWindow[], { screen, left, history }: Room): Line[] {
  if (left < LEAST_TABLE) return [];
  const spare = left - 2;
  const wanted = Math.min(windows.length, MOST_WINDOWS) + 1;
  const beside = spare - report.partitions.length - 1;
  // So many partitions that not all fit anyway leave a third to the windows.
  const forWindows = Math.min(wanted, beside >= 0 ? beside : Math.floor(spare / 3));
  const takenAtMs = Date.parse(report.takenAt);
  const windowRows = forWindows >= 2 ? [[], ...windowLines(windows, { lines: forWindows, takenAtMs })] : [];
  const rows = left - 1 - windowRows.length;
  return [[], ...partitionLines(report.partitions, { ...screen, rows, history }), ...windowRows];
}

const PROBLEM_SHARE = 6;
const LEAST_TABLE = 3;
const MOST_WINDOWS = 6;

function headline({ report, trouble }: Watched, columns: number): Line {
  const state: Line =
    trouble !== null ? [['no answer', 'red']] : report.caughtUp ? [['caught up', 'green']] : [['working', 'yellow']];
  const clock = `schema ${report.schema}  ${report.takenAt.slice(11, 19)}Z`;
  return spread([[report.topic, 'bold'], plain('  '), ...state], [dim(clock)], columns);
}

const LABEL_COLUMNS = 12;
const label = (text: string): Line[number] => dim(text.padEnd(LABEL_COLUMNS));

function figureLines({ report, history }: Watched, screen: Screen): Line[] {
  const { rates, totals } = report;
  const lagSince = report.lagSeconds === null ? 'age unknown' : `oldest ${ageText(report.lagSeconds)}`;
  const stored = `${grouped(totals.recorded)} recorded, ${grouped(totals.late)} late, ${grouped(totals.duplicate)} duplicate, ${grouped(totals.rejected)} rejected`;
  const letters = lettersText(report.letters);
  return [
    flowLine('produced', history.produced, { rate: rates?.producedPerSecond, screen }),
    flowLine('committed', history.committed, { rate: rates?.committedPerSecond, screen }),
    sparkLine('lag', history.lag, { text: `${plural(report.lag, 'message')}, ${lagSince}`, screen }),
    ...eventTimeLines(report, screen),
    [label('stored'), plain(stored)],
    [
      label('windows'),
      plain(`${grouped(totals.windows)} closed${waitingText(totals)}; ${grouped(report.sessions.open)} sessions open`),
    ],
    [label('letters'), letters === null ? dim('no dead letter is open') : [letters, 'yellow']],
  ];
}

type Flow = { readonly rate: number | undefined; readonly screen: Screen };

function flowLine(name: string, values: readonly number[], { rate, screen }: Flow): Line {
  const text = rate === undefined ? 'with the next reading' : `${grouped(rate)}/s`;
  return sparkLine(name, values, { text, screen });
}

/** Numbers first, at a fixed place; the curve takes what is left, up to a minute. */
function sparkLine(name: string, values: readonly number[], { text, screen }: { text: string; screen: Screen }): Line {
  const columns = Math.min(MOST_SPARKS, screen.columns - LABEL_COLUMNS - FIGURE_COLUMNS);
  if (columns < LEAST_SPARKS) return [label(name), plain(text)];
  const space = Math.max(FIGURE_COLUMNS, text.length + 2);
  const sparks = sparkline(
    values,
    Math.max(0, Math.min(columns, screen.columns - LABEL_COLUMNS - space)),
    screen.marks,
  );
  return [label(name), plain(text.padEnd(space)), [sparks, 'cyan']];
}

const FIGURE_COLUMNS = 28;
const LEAST_SPARKS = 8;
const MOST_SPARKS = 60;

/** How far event time is, in words and on a scale from what is closed to the present. */
function eventTimeLines(report: StatusReport, { columns, marks }: Screen): Line[] {
  const { lowWatermark, closedThrough, takenAt } = report;
  if (lowWatermark === null) return [[label('watermark'), dim('no event yet')], []];
  const [lowMs, nowMs] = [Date.parse(lowWatermark), Date.parse(takenAt)];
  const age = formatDuration(Math.round(Math.abs(nowMs - lowMs) / 1000) * 1000);
  const words: Line = [
    label('watermark'),
    plain(`${shortTime(lowWatermark, takenAt)}, ${age} ${nowMs >= lowMs ? 'ago' : 'ahead'}`),
    dim(heldText(report)),
  ];
  const from = `${LABEL}closed ${closedThrough === null ? '-' : shortTime(closedThrough, takenAt)} `;
  const to = ` now ${shortTime(takenAt, takenAt)}`;
  const room = columns - from.length - to.length;
  if (room < LEAST_SPARKS) return [words, []];
  const fromMs = closedThrough === null ? lowMs : Date.parse(closedThrough);
  const share = nowMs <= fromMs ? 1 : (lowMs - fromMs) / (nowMs - fromMs);
  return [words, [dim(from), [scale(share, Math.min(room, MOST_SPARKS), marks), 'cyan'], dim(to)]];
}

const LABEL = ' '.repeat(LABEL_COLUMNS);

/** Only the time of day where it is today's. */
function shortTime(iso: string, now: string): string {
  return iso.slice(0, 10) === now.slice(0, 10) ? `${iso.slice(11, 19)}Z` : `${iso.slice(0, 19)}Z`;
}

/** A sentence in lines of at most so many columns, broken at spaces. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
