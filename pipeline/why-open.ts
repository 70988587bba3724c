// Why a window is not closed yet: everything that still has to happen, each with what to do about it.
import { formatDuration } from './duration.ts';
import { PANE_MS } from './pane.ts';

/** One partition as it stands. `problem`: the sentence of what keeps it from going on; `resting`: of what it was told. */
export type PartitionStanding = {
  readonly partition: number;
  readonly watermarkMs: number | null;
  readonly lag: number;
  readonly idle: boolean;
  readonly problem: string | null;
  readonly resting: string | null;
};

/** Event times are epoch ms, null before the first event. `lastWindowEndMs`: end of the last window that holds an event. */
export type EventTimeFacts = {
  readonly nowMs: number;
  readonly lowWatermarkMs: number | null;
  readonly closedThroughMs: number | null;
  readonly writtenThroughMs: number | null;
  readonly lastWindowEndMs: number | null;
  readonly latenessMs: number;
  readonly idleAfterMs: number;
  readonly partitions: readonly PartitionStanding[];
  /** What the workflows say that keeps them from their work, in sentences. */
  readonly troubles: readonly string[];
};

type OpenReason =
  | 'closer-behind'
  | 'event-time'
  | 'unread-messages'
  | 'no-event-yet'
  | 'read-to-the-end-recently'
  | 'lost-range'
  | 'resting'
  | 'all-idle'
  | 'behind-the-last-event'
  | 'in-the-future'
  | 'open-sessions'
  | 'amended-sessions'
  | 'workflows';

/** `partition` null: it is about the pipeline as a whole. */
export type WhyOpen = { readonly reason: OpenReason; readonly partition: number | null; readonly sentence: string };

/** Why a window that ends at `endMs` has no result yet; the first is the nearest. */
export function whyOpen(endMs: number, facts: EventTimeFacts): WhyOpen[] {
  const low = facts.lowWatermarkMs;
  const reasons = low !== null && low >= endMs ? [closerBehind(endMs, facts)] : missingTime(endMs, facts);
  return [...reasons, ...facts.troubles.map((sentence) => pipelineWide('workflows', sentence))];
}

function closerBehind(endMs: number, { lowWatermarkMs, closedThroughMs, writtenThroughMs }: EventTimeFacts): WhyOpen {
  const passed = `The low watermark, ${iso(lowWatermarkMs)}, has passed its end, so it is due`;
  const written =
    writtenThroughMs === null ? 'nothing is written yet' : `results are written through ${iso(writtenThroughMs)}`;
  const closed =
    (closedThroughMs ?? -Infinity) >= endMs ? 'Its time is closed already; only its rows are missing. ' : '';
  const sentence = `${passed}; ${written}. ${closed}The closer is on its way: \`weir status --watch\` shows it move.`;
  return pipelineWide('closer-behind', sentence);
}

function missingTime(endMs: number, facts: EventTimeFacts): WhyOpen[] {
  const { lowWatermarkMs: low, nowMs, partitions } = facts;
  const reasons: WhyOpen[] = [
    pipelineWide(
      'event-time',
      low === null
        ? 'Event time has not begun: there is no low watermark yet.'
        : `Event time has come to ${iso(low)} (low watermark), and ${span(endMs - low)} up to its end are missing.`,
    ),
  ];
  if (endMs > nowMs) {
    reasons.push(pipelineWide('in-the-future', `It lies in the future: it ends in ${span(endMs - nowMs)}.`));
  }
  const holding = partitions
    .filter(({ idle, watermarkMs }) => !idle && (watermarkMs ?? -Infinity) < endMs)
    .toSorted((one, other) => (one.watermarkMs ?? -Infinity) - (other.watermarkMs ?? -Infinity));
  if (holding.length > 0) return [...reasons, ...holding.map((of) => holds(endMs, of, facts))];
  return partitions.every(({ idle }) => idle) ? [...reasons, byTheClock(endMs, facts)] : reasons;
}

/** What one partition waits for. What keeps it from reading at all comes before what it would read. */
function holds(endMs: number, of: PartitionStanding, { idleAfterMs, latenessMs }: EventTimeFacts): WhyOpen {
  const { partition, watermarkMs, lag, problem, resting } = of;
  const messages = `${lag.toLocaleString('en-US')} unread message${lag === 1 ? '' : 's'}`;
  const behind = watermarkMs === null ? 'has no event yet' : `is ${span(endMs - watermarkMs)} short of it`;
  const head = `Partition ${partition} ${behind}`;
  const because = (reason: OpenReason, rest: string): WhyOpen => ({ reason, partition, sentence: `${head}${rest}` });
  if (problem !== null) return because('lost-range', ` and has stopped: ${problem}`);
  if (resting !== null) return because('resting', ` with ${messages}, and rests: ${resting}`);
  if (lag > 0) return because('unread-messages', ` and has ${messages}: as they are read it comes nearer.`);
  const idle = `it holds nothing back any more once it has been read to its end for ${span(idleAfterMs)} without a new message`;
  if (watermarkMs === null) return because('no-event-yet', `: ${idle}.`);
  return because(
    'read-to-the-end-recently',
    ` and was read to its end only just now: an event of ${iso(endMs + latenessMs)} or later closes the window (the lateness of ${span(latenessMs)} included), or ${idle}.`,
  );
}

/** Everything is read and quiet: what the clock alone still closes. */
function byTheClock(endMs: number, { nowMs, latenessMs, lastWindowEndMs, partitions }: EventTimeFacts): WhyOpen {
  const quiet = partitions.length === 0 ? 'There is no partition' : 'All partitions are read to their end and idle';
  if (lastWindowEndMs === null || lastWindowEndMs < endMs) {
    const last =
      lastWindowEndMs === null
        ? 'there is no event at all'
        : `the last window with an event ends at ${iso(lastWindowEndMs)}`;
    const sentence = `${quiet}, and ${last}: event time waits there until new events come.`;
    return pipelineWide('behind-the-last-event', sentence);
  }
  const waitMs = endMs + latenessMs - nowMs;
  const sentence = `${quiet}, so it closes by the clock at ${iso(endMs + latenessMs)}, its end and the lateness of ${span(latenessMs)}: ${waitMs > 0 ? `in ${span(waitMs)}` : 'any moment now'}.`;
  return pipelineWide('all-idle', sentence);
}

function pipelineWide(reason: OpenReason, sentence: string): WhyOpen {
  return { reason, partition: null, sentence };
}

const iso = (ms: number | null): string => (ms === null ? 'unknown' : `${new Date(ms).toISOString().slice(0, 19)}Z`);

/** To the second, rounded up: nothing that is missing reads as 0s; beyond a day to the minute. */
function span(ms: number): string {
  const unitMs = ms > 86_400_000 ? PANE_MS : 1000;
  return formatDuration(Math.ceil(ms / unitMs) * unitMs);
}
