// The two tables of the full-screen view: partitions with lag bars, and the windows that closed last.
import { formatDuration } from '../pipeline/duration.ts';
import type { ClosedWindow } from '../postgres/closed-windows.ts';
import { lagBar } from './marks.ts';
import type { Marks } from './marks.ts';
import { grouped } from './output.ts';
import type { StatusReport } from './status-report.ts';
import { dim, plain } from './styled-line.ts';
import type { Line, Piece } from './styled-line.ts';
import type { WatchHistory } from './watch-history.ts';

type Partition = StatusReport['partitions'][number];
type Space = { readonly columns: number; readonly rows: number; readonly marks: Marks; readonly history: WatchHistory };

/** A heading and a line a partition; where there are more than rows, those furthest behind and a line that counts the others. */
export function partitionLines(partitions: readonly Partition[], { columns, rows, marks, history }: Space): Line[] {
  const room = Math.max(0, rows - 1);
  const all = partitions.length <= room;
  const shown = all ? partitions : furthestBehind(partitions, Math.max(0, room - 1));
  // By the largest lag of the last minutes: a bar that gets shorter then says that it catches up.
  const peak = Math.max(LEAST_PEAK, ...history.partitionPeaks, ...partitions.map(({ lag }) => lag));
  const barColumns = Math.max(6, Math.min(30, columns - FIXED_COLUMNS));
  const heading = `${'part'.padStart(4)}  ${'lag'.padEnd(barColumns)}  ${'messages'.padStart(10)}  ${'next offset'.padStart(12)}  watermark`;
  const lines = shown.map((of) => partitionLine(of, { share: of.lag / peak, barColumns, marks }));
  const others = partitions.length - shown.length;
  const lag = partitions.filter((of) => !shown.includes(of)).reduce((sum, of) => sum + of.lag, 0);
  const rest: Line[] = all ? [] : [[dim(`      and ${others} more, ${grouped(lag)} messages behind`)]];
  return [[dim(heading)], ...lines, ...rest].slice(0, rows);
}

/** A few messages behind is the usual state: their bar is one mark, not one that jumps from end to end. */
const LEAST_PEAK = 100;
/** Everything of a line but its bar. */
const FIXED_COLUMNS = 4 + 2 + 2 + 10 + 2 + 12 + 2 + 19;

type Bar = { readonly share: number; readonly barColumns: number; readonly marks: Marks };

function partitionLine(of: Partition, { share, barColumns, marks }: Bar): Line {
  const bar = lagBar(share, barColumns, marks);
  const filled = bar.lastIndexOf(marks.full) + 1;
  const watermark = of.watermark === null ? '-' : of.watermark.slice(5, 19).replace('T', ' ');
  return [
    plain(`${String(of.partition).padStart(4)}  `),
    [bar.slice(0, filled), of.problem === null ? 'green' : 'red'],
    dim(bar.slice(filled)),
    plain(`  ${grouped(of.lag).padStart(10)}  ${(of.nextOffset ?? '-').padStart(12)}  ${watermark}`),
    stateOf(of),
  ];
}

function stateOf({ problem, idle }: Partition): Piece {
  if (problem !== null) return [' lost', 'red'];
  return idle ? dim(' idle') : plain('');
}

/** In their own order. */
function furthestBehind(partitions: readonly Partition[], count: number): Partition[] {
  const rank = (of: Partition): number => (of.problem === null ? of.lag : Infinity);
  const kept = new Set(partitions.toSorted((one, other) => rank(other) - rank(one)).slice(0, count));
  return partitions.filter((of) => kept.has(of));
}

type WindowSpace = { readonly lines: number; readonly takenAtMs: number };

/** A heading and the newest windows, at most so many lines together. */
export function windowLines(windows: readonly ClosedWindow[], { lines, takenAtMs }: WindowSpace): Line[] {
  const shown = windows.slice(0, Math.max(0, lines - 1));
  const width = Math.max('last closed'.length, ...shown.map(({ aggregate }) => aggregate.length));
  const heading = `${'last closed'.padEnd(width)}  ${'window'.padEnd(SPAN_COLUMNS)}  ${'events'.padStart(9)}  rev  closed`;
  return [
    [dim(heading)],
    ...shown.map((of): Line => {
      const agoMs = Math.max(0, Math.floor((takenAtMs - of.closedAtMs) / 1000) * 1000);
      return [
        plain(
          `${of.aggregate.padEnd(width)}  ${spanText(of).padEnd(SPAN_COLUMNS)}  ${grouped(of.events).padStart(9)}  `,
        ),
        [String(of.revision).padStart(3), of.revision > 1 ? 'yellow' : 'plain'],
        dim(`  ${formatDuration(agoMs)} ago`),
      ];
    }),
  ];
}

const SPAN_COLUMNS = '11-01 10:00 to 10:10'.length;

function spanText({ startMs, endMs }: ClosedWindow): string {
  const text = (ms: number): string => new Date(ms).toISOString();
  return `${text(startMs).slice(5, 16).replace('T', ' ')} to ${text(endMs).slice(11, 16)}`;
}
