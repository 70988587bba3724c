// Which dead letters may be replayed at all: what is wrong with asking for others is said before anything is done.
import type pg from 'pg';

import { UNDECIDED } from '../pipeline/dead-letter.ts';
import type { LetterStatus } from '../pipeline/dead-letter.ts';
import { SelectionError, selectsEveryLetter } from '../pipeline/letter-selection.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import { letterStates } from '../postgres/discard-letters.ts';
import { CliFailure } from './failure.ts';
import { grouped } from './output.ts';

const REPLAYABLE: readonly LetterStatus[] = [...UNDECIDED, 'sent'];
/** They go into the workflow's arguments. */
const MOST_NAMED = 10_000;

/** Open letters unless other states are asked for; letters that are named by number may be parked. Throws CliFailure. */
export function replayable(selection: LetterSelection): LetterSelection {
  if (selectsEveryLetter(selection)) {
    throw new CliFailure('Say which dead letters: their numbers or a filter; --status open means all open ones.');
  }
  const { statuses, ids } = selection;
  const wrong = statuses.filter((status) => !REPLAYABLE.includes(status));
  if (wrong.length > 0) {
    throw new CliFailure(
      `--status ${wrong.join(',')}: only letters that are ${REPLAYABLE.join(', ')} can be replayed.`,
    );
  }
  if (ids.length > MOST_NAMED) {
    throw new CliFailure(
      `${grouped(ids.length)} letters are named, and at most ${grouped(MOST_NAMED)} can be; use filters.`,
    );
  }
  if (statuses.length > 0) return selection;
  return { ...selection, statuses: ids.length > 0 ? UNDECIDED : ['open'] };
}

/** Who names letters means each of them: one that is in another state keeps all of them from being sent. */
export async function refuseUnlike(pool: pg.Pool, schema: string, { ids, statuses }: LetterSelection): Promise<void> {
  if (ids.length === 0) return;
  const states = await letterStates(pool, schema, ids);
  const problems = ids.flatMap((id) => {
    const status = states.get(id);
    if (status === undefined) return [`There is no dead letter ${id}; nothing is sent.`];
    if (statuses.some((one) => one === status)) return [];
    const hint = status === 'sent' ? ' (--status sent sends it once more)' : '';
    return [`Letter ${id} is ${status}, not ${statuses.join(' or ')}${hint}; nothing is sent.`];
  });
  if (problems.length > 0) throw new SelectionError(problems);
}
