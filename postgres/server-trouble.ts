// Says what a trouble of PostgreSQL's own means and what ends it: no message is to blame, and the work is tried again.
import { sqlState } from './sqlstate.ts';

const RESTARTS = 'it is stopping, restarting or recovering; nothing is to be done unless it stays away';
const FULL = 'its disk is full: make room there';
const CONFLICT = 'another transaction got in the way; nothing is to be done unless this goes on';
const LOCKED = 'another session holds a lock that this work needs: look for it in pg_locks if this goes on';

/** By SQLSTATE. What is missing here is told in PostgreSQL's words alone. */
const MEANINGS: Readonly<Record<string, string>> = {
  '25006':
    'it takes no writes (a standby, or default_transaction_read_only is on): end that, or let WEIR_POSTGRES_URL name the primary',
  '40001': CONFLICT,
  '40P01': CONFLICT,
  '53100': FULL,
  '53200': 'it has no memory left: lower work_mem or max_connections, or give its machine more',
  '53300': 'all its connections are taken: raise max_connections, or run fewer workers',
  '55P03': LOCKED,
  '57014':
    'a person or statement_timeout cancelled the statement: raise that setting of the role if statements need longer than it allows',
  '57P01': 'an administrator ended the session; nothing is to be done',
  '57P02': RESTARTS,
  '57P03': RESTARTS,
};

/** The words of "pg" for a session that ended while nothing, or something, was under way on it. */
const LOST_CONNECTION = new Set([
  'Client has encountered a connection error and is not queryable',
  'Connection terminated unexpectedly',
  'Connection terminated',
]);

/** One sentence for a failure of the server itself, with PostgreSQL's own words and the SQLSTATE, or of the session; null for any other error. */
export function serverTrouble(error: unknown): string | null {
  if (error instanceof Error && LOST_CONNECTION.has(error.message)) {
    return 'The session in PostgreSQL has ended under this work (server restarted, session terminated, or line cut): what was committed is read from the checkpoint, and nothing is to be done unless this goes on.';
  }
  const state = sqlState(error);
  const meaning = state === null ? undefined : MEANINGS[state];
  if (state === null || meaning === undefined || !(error instanceof Error)) return null;
  return `PostgreSQL says "${error.message}" (${state}): ${meaning}.`;
}
