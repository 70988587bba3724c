// The story of a window as people and programs read it.
import { formatDuration } from '../pipeline/duration.ts';
import type { WindowAmendment, WindowHistory } from '../postgres/window-history.ts';
import { plural, styled, timeText } from './output.ts';
import type { ExplainedWindow } from './window-why.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

/** A paragraph for each window; the reasons of windows that wait for the same are said once, under the last of them. */
export function windowLines(windows: readonly ExplainedWindow[]): string[] {
  const lines: string[] = [];
  for (const [index, window] of windows.entries()) {
    const next = windows[index + 1];
    const isSaidBelow = next?.state === 'open' && next.span.endMs === window.span.endMs;
    lines.push(headLine(window), ...historyLines(window));
    if (isSaidBelow) continue;
    lines.push(...reasonsOf(window.why).map((sentence) => `  - ${sentence}`));
    if (next !== undefined) lines.push('');
  }
  return lines;
}

/** Partitions of which the same is to be said are named in one sentence. */
function reasonsOf(why: ExplainedWindow['why']): string[] {
  const partitionsOf = new Map<string, number[]>();
  for (const { partition, sentence } of why) {
    const said = sentence.replace(`Partition ${partition} `, '');
    partitionsOf.set(said, [...(partitionsOf.get(said) ?? []), ...(partition === null ? [] : [partition])]);
  }
  return [...partitionsOf].map(([said, [first, ...others]]) => {
    if (first === undefined) return said;
    if (others.length === 0) return `Partition ${first} ${said}`;
    return `Each of the partitions ${[first, ...others].join(', ')} ${said}`;
  });
}

function headLine({ aggregate, counts, span, state, history }: ExplainedWindow): string {
  const name = styled('bold', `${aggregate} ${timeText(span.startMs)} to ${timeText(span.endMs)}`);
  if (state === 'closed') return `${name} is closed, ${closedText(span.endMs, counts, history)}.`;
  if (state === 'open') {
    const held =
      history.events === 0
        ? `no ${counts} so far; without one it closes without a row`
        : `${plural(history.events, counts)} so far`;
    return `${name} is not closed. It holds ${held}.`;
  }
  return `${name} is closed, without a row: it held no ${counts}.`;
}

type Counts = ExplainedWindow['counts'];

function closedText(endMs: number, counts: Counts, { closed, amendments }: WindowHistory): string {
  if (closed === null) return '';
  const afterMs = closed.closedAtMs - endMs;
  const after = `${formatDuration(Math.round(Math.abs(afterMs) / 1000) * 1000)} ${afterMs < 0 ? 'before' : 'after'} its end`;
  const added = amendments.reduce((sum, { moreEvents }) => sum + moreEvents, 0);
  const atClose = closed.events - added;
  const since = `since ${timeText(closed.closedAtMs)}, ${after}`;
  // A window that was empty when it closed has no row until a late event comes.
  if (atClose === 0 && amendments.length > 0) {
    return `and was empty until it was amended at ${timeText(closed.closedAtMs)}; it holds ${plural(closed.events, counts)} now (revision ${closed.revision})`;
  }
  if (closed.revision === 1) return `${since}, with ${plural(closed.events, counts)} (revision 1)`;
  return `${since}, with ${plural(atClose, counts)}; it holds ${plural(closed.events, counts)} now (revision ${closed.revision})`;
}

function historyLines({ counts, state, history }: ExplainedWindow): string[] {
  const { amendments, lateWaiting, lateLeftOut } = history;
  const waits = `  ${plural(lateWaiting, 'late event')} ${lateWaiting === 1 ? 'waits' : 'wait'} for the next amendment.`;
  const left = `  ${plural(lateLeftOut, 'late event')} of its time came beyond the amend horizon: listed by \`weir late --beyond-horizon\`, and in no result.`;
  return [
    ...amendments.map(
      (of) => `  revision ${of.revision} at ${timeText(of.amendedAtMs)}, ${of.cause}: ${amendedText(of, counts)}`,
    ),
    ...(lateWaiting === 0 || state === 'open' ? [] : [waits]),
    ...(lateLeftOut === 0 ? [] : [left]),
  ];
}

function amendedText({ changedRows, newRows, vanishedRows, moreEvents }: WindowAmendment, counts: Counts): string {
  const rows = [
    [changedRows, 'changed'],
    [newRows, 'new'],
    [vanishedRows, 'gone'],
  ] as const;
  const said = rows.filter(([count]) => count > 0).map(([count, what]) => `${plural(count, 'row')} ${what}`);
  const sign = moreEvents < 0 ? '-' : '+';
  return `${said.join(', ')} (${sign}${plural(Math.abs(moreEvents), counts)})`;
}

/** One window for programs. */
export function windowJson({ aggregate, counts, span, state, history, why }: ExplainedWindow): unknown {
  const { closed, amendments, events, lateWaiting, lateLeftOut } = history;
  return {
    aggregate,
    windowStart: iso(span.startMs),
    windowEnd: iso(span.endMs),
    state,
    /** What the numbers of events are of: events, or sessions that started in it. */
    counts: `${counts}s`,
    events,
    lateWaiting,
    lateLeftOut,
    closed: closed && {
      closedAt: iso(closed.closedAtMs),
      afterEndMs: closed.closedAtMs - span.endMs,
      revision: closed.revision,
      events: closed.events,
    },
    amendments: amendments.map((of) => ({
      revision: of.revision,
      cause: of.cause,
      amendedAt: iso(of.amendedAtMs),
      changedRows: of.changedRows,
      newRows: of.newRows,
      vanishedRows: of.vanishedRows,
      moreEvents: of.moreEvents,
    })),
    why,
  };
}
