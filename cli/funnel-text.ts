// A funnel as people read it: a bar a step, and what was lost in between.
import { formatDuration } from '../pipeline/duration.ts';
import { FUNNELS } from '../pipeline/funnel.ts';
import type { Funnel } from '../pipeline/funnel.ts';
import { readable } from '../pipeline/readable-bytes.ts';
import type { FunnelCount, FunnelRange, ReachedStep } from '../postgres/read-funnel.ts';
import { bar } from './bar.ts';
import { elapsed } from './elapsed.ts';
import { grouped, plural, styled, timeText } from './output.ts';

const LINE_COLUMNS = 80;
const LEAST_BAR = 8;
const MOST_BAR = 24;
const INDENT = '   ';
const BETWEEN = '  ';

const HEADINGS = ['', 'reached', 'per step', 'overall', 'median', 'p90', 'revenue'];

/** `limit`: groups shown of each funnel. */
type Asked = FunnelRange & { readonly by: string | null; readonly limit: number };

/** The lines of `weir funnel`: every funnel, or why there is none. */
export function funnelReport(counts: readonly FunnelCount[], { by, limit, ...range }: Asked): string[] {
  if (counts.length === 0) {
    const isAsked = range.fromMs !== null || range.toMs !== null;
    return [
      isAsked
        ? `No session started ${rangeText(range)}; without --from and --to the last day is shown that has any.`
        : 'There is no session yet, and so no funnel: the first is there when a minute with events has closed; `weir status` says how far the low watermark is.',
    ];
  }
  const lines = [`Sessions that started ${rangeText(range)}`];
  for (const funnel of FUNNELS) {
    const groups = counts.filter((count) => count.funnel === funnel.name);
    if (groups.length === 0) continue;
    lines.push('', ...funnelLines(funnel, groups.slice(0, limit)));
    if (groups.length > limit) {
      lines.push(`   The ${limit} largest of ${grouped(groups.length)} by ${by} are shown (--limit).`);
    }
  }
  return lines;
}

function rangeText({ fromMs, toMs }: FunnelRange): string {
  const from = fromMs === null ? '' : `from ${timeText(fromMs)} on`;
  if (toMs === null) return from === '' ? 'at any time' : from;
  return fromMs === null ? `before ${timeText(toMs)}` : `from ${timeText(fromMs)} to ${timeText(toMs)}`;
}

/** The lines of one funnel; its groups under each other, in the same columns. */
function funnelLines({ name, withinMs }: Pick<Funnel, 'name' | 'withinMs'>, counts: readonly FunnelCount[]): string[] {
  const rows = [HEADINGS, ...counts.flatMap(({ steps }) => steps.map(cells))];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const beside = widths.reduce((sum, width) => sum + BETWEEN.length + width, INDENT.length);
  const barColumns = Math.max(LEAST_BAR, Math.min(MOST_BAR, LINE_COLUMNS - beside));
  const line = (texts: readonly string[], marks: string): string => {
    const [first = '', ...numbers] = texts.map((text, column) => {
      return column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
    });
    return [`${INDENT}${first}`, marks.padEnd(barColumns), ...numbers].join(BETWEEN);
  };
  const blocks = counts.flatMap((count) => [
    headLine(count),
    line(HEADINGS, ''),
    ...count.steps.map((step) => line(cells(step), stepBar(step, { sessions: count.sessions, barColumns }))),
  ]);
  const anyOpen = counts.some(({ open }) => open > 0);
  return [
    `${styled('bold', name)}, within ${formatDuration(withinMs)}`,
    ...blocks,
    ...(anyOpen ? [`${INDENT}+ in sessions that are open: provisional`] : []),
  ];
}

function headLine({ group, sessions, open }: FunnelCount): string {
  const name = group === null ? '' : `${styled('bold', readable(Buffer.from(group)))}: `;
  const still = open === 0 ? '' : `, ${grouped(open)} of them open`;
  return ` ${name}${plural(sessions, 'session')}${still}`;
}

/** In the order of HEADINGS, revenue without cents. What is measured from the step before has nothing to say at the first. */
function cells(step: ReachedStep): string[] {
  const later = [percent(step.overallConversion), time(step.medianSeconds), time(step.p90Seconds)];
  const [overall = '', median = '', p90 = ''] = step.step === 1 ? [] : later;
  return [
    step.name,
    grouped(step.reached),
    percent(step.conversion),
    overall,
    median,
    p90,
    grouped(Number(step.revenue)),
  ];
}

/** Of all sessions: # those that are closed, + behind them those that are open. */
function stepBar(
  { reached, reachedOpen }: ReachedStep,
  { sessions, barColumns }: { sessions: number; barColumns: number },
): string {
  const whole = bar(reached / sessions, barColumns);
  const closed = bar((reached - reachedOpen) / sessions, barColumns);
  // What is there shows, as far as there is room.
  const shown = reachedOpen > 0 && closed.length === whole.length && whole.length > 1 ? closed.slice(1) : closed;
  return shown.padEnd(whole.length, '+');
}

const percent = (share: number | null): string => (share === null ? '-' : `${(share * 100).toFixed(1)} %`);
const time = (seconds: number | null): string => (seconds === null ? '-' : elapsed(seconds));
