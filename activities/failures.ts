// How an activity's error reaches its workflow: the only place that makes ApplicationFailure.
import { ApplicationFailure } from '@temporalio/common';

import { LostRangeError, OffsetBeyondEndError } from '../kafka/failures.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { FencedError } from '../postgres/batch-committer.ts';
import { ForeignSchemaError } from '../postgres/checkpoints.ts';
import { sqlState } from '../postgres/sqlstate.ts';

/** Types of failure that workflows tell apart. */
const LOST_RANGE = 'LostRange';
const FOREIGN_SCHEMA = 'ForeignSchema';
const FENCED = 'Fenced';

/** Temporal cuts failures at 4 KiB; the sentence is what people need, the stack stays in the worker's log. */
const LONGEST_MESSAGE = 1500;

/**
 * The failure that a workflow sees for `error`. A lost range is final until a person accepts it; everything else is worth
 * another lease after a pause, which the workflow decides.
 */
export function toFailure(error: unknown): ApplicationFailure {
  const message = messageOf(error).slice(0, LONGEST_MESSAGE);
  const cause = error instanceof Error ? { cause: error } : {};
  if (error instanceof LostRangeError || error instanceof OffsetBeyondEndError) {
    return ApplicationFailure.create({ message, type: LOST_RANGE, nonRetryable: true, ...cause });
  }
  if (error instanceof ForeignSchemaError) {
    return ApplicationFailure.create({ message, type: FOREIGN_SCHEMA, nonRetryable: true, ...cause });
  }
  const type = error instanceof FencedError ? FENCED : (sqlState(error) ?? 'Transient');
  return ApplicationFailure.create({ message, type, ...cause });
}
