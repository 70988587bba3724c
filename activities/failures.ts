// How an activity's error reaches its workflow: the only place that makes ApplicationFailure.
import { ApplicationFailure } from '@temporalio/common';

import { LostRangeError, OffsetBeyondEndError } from '../kafka/failures.ts';
import type { Counts } from '../pipeline/checkpoint.ts';
import { messageOf } from '../pipeline/ensure.ts';
import type { LostRange } from '../pipeline/lost-range.ts';
import { formatOffset } from '../pipeline/offset.ts';
import { RewindRefusedError } from '../pipeline/rewind-target.ts';
import { FencedError } from '../postgres/batch-committer.ts';
import { ForeignSchemaError } from '../postgres/checkpoints.ts';
import { serverTrouble } from '../postgres/server-trouble.ts';
import { sqlState } from '../postgres/sqlstate.ts';

/** Types of failure that workflows tell apart. */
const LOST_RANGE = 'LostRange';
const FOREIGN_SCHEMA = 'ForeignSchema';
const FENCED = 'Fenced';
const REWIND_REFUSED = 'RewindRefused';

/** Temporal cuts failures at 4 KiB; the sentence is what people need, the stack stays in the worker's log. */
const LONGEST_MESSAGE = 1500;

/**
 * The failure that a workflow sees for `error`. A lost range (details: LostRange) is final until a person accepts it; everything else is worth
 * another lease after a pause, which the workflow decides; `counts`, what the lease had committed, tells it how long.
 */
export function toFailure(error: unknown, counts?: Counts): ApplicationFailure {
  const message = (serverTrouble(error) ?? messageOf(error)).slice(0, LONGEST_MESSAGE);
  const cause = error instanceof Error ? { cause: error } : {};
  const lost = lostRange(error);
  if (lost) {
    return ApplicationFailure.create({ message, type: LOST_RANGE, nonRetryable: true, details: [lost], ...cause });
  }
  if (error instanceof ForeignSchemaError) {
    return ApplicationFailure.create({ message, type: FOREIGN_SCHEMA, nonRetryable: true, ...cause });
  }
  if (error instanceof RewindRefusedError) {
    return ApplicationFailure.create({ message, type: REWIND_REFUSED, nonRetryable: true, ...cause });
  }
  // Two owners of one partition both commit between their fences, and must be slowed down all the same.
  if (error instanceof FencedError) return ApplicationFailure.create({ message, type: FENCED, ...cause });
  const details = counts ? [{ counts }] : [];
  return ApplicationFailure.create({ message, type: sqlState(error) ?? 'Transient', details, ...cause });
}

function lostRange(error: unknown): LostRange | null {
  if (error instanceof LostRangeError) {
    return { kind: 'gone', fromOffset: formatOffset(error.wanted), toOffset: formatOffset(error.logStart) };
  }
  if (error instanceof OffsetBeyondEndError) {
    return { kind: 'beyond-end', nextOffset: formatOffset(error.wanted), endOffset: formatOffset(error.logEnd) };
  }
  return null;
}
