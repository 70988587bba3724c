// Verdicts on what follows ingestion: watermark, windows, late events, dead letters, and whether the counts add up.
import type { DataFacts, HealthFacts } from './health-facts.ts';
import type { PartitionFinding } from './judge-ingestion.ts';
import { healthy, suspect, unhealthy } from './stage-verdict.ts';
import type { Finding } from './stage-verdict.ts';

type Looks = { readonly first: DataFacts; readonly now: DataFacts; readonly workflows: HealthFacts['workflows'] };

/** The low watermark stands still for a good reason or because a partition that holds it does not go on. */
export function judgeWatermark({ now, workflows }: Looks, partitions: readonly PartitionFinding[]): Finding {
  const { lowWatermark, heldBackBy } = now;
  const at = lowWatermark === null ? 'There is no low watermark yet' : `The low watermark is ${short(lowWatermark)}`;
  if (workflows?.closer.says?.stream === 'ended') return healthy(`${at}; the stream has ended.`);
  if (heldBackBy === null) return healthy(`${at}; nothing holds it back.`);
  const holder = partitions.find(({ partition }) => partition === heldBackBy.partition);
  const held = `${at}, held by partition ${heldBackBy.partition}`;
  if (holder === undefined || (holder.verdict === 'healthy' && !holder.resting))
    return healthy(`${held}, which goes on.`);
  if (holder.verdict === 'healthy') {
    return healthy(`${held}, which is paused by hand: windows wait for it.`, holder.next);
  }
  const stuck = holder.verdict === 'unhealthy' ? unhealthy : suspect;
  return stuck(`${held}, which does not go on: every window behind it waits.`, holder.next);
}

/** Windows that are due are written, one pane after another, or nobody writes them. */
export function judgeWindows({ first, now, workflows }: Looks): Finding {
  const through =
    now.writtenThrough === null
      ? 'No window has closed yet'
      : `Results are written through ${short(now.writtenThrough)}`;
  const { closer } = workflows ?? { closer: null };
  const moved = first.writtenThrough !== now.writtenThrough;
  const failures = closer?.says?.failures;
  if (failures !== undefined && failures.count > 0 && closer?.says?.phase === 'backing-off' && !moved) {
    return suspect(
      `${through}; closing fails: ${failures.message ?? ''}`.trim(),
      'Workflow `closeWindows` in the Web UI says more.',
    );
  }
  if (!now.due) return healthy(`${through}; none is overdue.`);
  if (moved || !first.due) return healthy(`${through}; the closer is on its way.`);
  const due = `${through}, and windows before ${short(now.lowWatermark ?? '-')} are due`;
  if (closer !== null && !closer.running) {
    return suspect(
      `${due}, but no workflow closes them.`,
      '`weir pipeline start` starts what is missing; a running pipeline does within a minute.',
    );
  }
  return suspect(
    `${due}, but none was written while this looked.`,
    '`weir windows --why TIME` says what one waits for; see that PostgreSQL is not blocked (pg_stat_activity).',
  );
}

/** Late events are collected for an interval first, and wait for windows that close just now. */
export function judgeLate({ first, now }: Looks): Finding {
  const { waiting, oldestMs, takenIn, amendIntervalMs } = now.late;
  if (waiting === 0) return healthy('No late event waits.');
  const wait = `${waiting.toLocaleString('en-US')} late event${waiting === 1 ? '' : 's'} still to be taken in`;
  const moved = takenIn !== first.late.takenIn || first.writtenThrough !== now.writtenThrough;
  if (moved || oldestMs < LATE_INTERVALS * amendIntervalMs + LATE_PATIENCE_MS) return healthy(`${wait}, on their way.`);
  return suspect(
    `${wait}, for up to ${Math.round(oldestMs / 1000)} s, and none was taken in while this looked.`,
    'Workflow `closeWindows` in the Web UI says what it does.',
  );
}

/** A turn of collecting may just have begun, and the amendment itself takes time. */
const LATE_INTERVALS = 2;
const LATE_PATIENCE_MS = 30_000;

/** Dead letters themselves are no fault of the pipeline; that they do not reach their topic is. */
export function judgeLetters({ now: { letters }, workflows }: Looks): Finding {
  const open = `${letters.open.toLocaleString('en-US')} open`;
  if (letters.problem === null) {
    return healthy(
      letters.open === 0
        ? 'No dead letter is open.'
        : `Dead letters are published (${open}: \`weir dead-letters list\`).`,
    );
  }
  if (workflows?.pipeline.says?.phase === 'paused') {
    return healthy(
      'Dead letters wait with their pipeline, which is paused by hand.',
      '`weir pipeline resume` goes on.',
    );
  }
  return unhealthy(letters.problem);
}

/** What can be checked at any time without reading anything again, and what the newest recount found. */
export function judgeVerification({ now: { unaccounted, partitions, verified } }: Looks): Finding {
  if (unaccounted > 0) {
    return unhealthy(
      `${unaccounted.toLocaleString('en-US')} offsets were passed over and are neither counted nor accepted as lost.`,
      '`weir verify` says which messages are missing or doubled.',
    );
  }
  const counted = `Every offset that was read is accounted for in ${partitions.length} partitions`;
  if (verified === null) return healthy(`${counted}; \`weir verify\` recounts everything.`);
  const at = short(new Date(verified.atMs).toISOString());
  if (verified.clean) return healthy(`${counted}, and \`weir verify\` found nothing wrong at ${at}.`);
  return unhealthy(
    `${counted}, but \`weir verify\` found differences at ${at}.`,
    '`weir verify` names them; `weir reprocess` puts results right. A clean run takes this back.',
  );
}

const short = (iso: string): string => iso.replace(/\.\d+Z$/, 'Z');
