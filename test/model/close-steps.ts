// Closing and amending, step by step: closed_through moves, panes and windows are written, late events amend them.
import type { Guards } from './guards.ts';
import type { World } from './ingest-steps.ts';
import { SqlError } from './model-database.ts';
import type { Answer, ModelTransaction, Tables } from './model-database.ts';
import { before } from './schedule.ts';
import type { Steps } from './schedule.ts';

/** Times that a closer tries a transaction that another one got in the way of, before it gives up quietly. */
const MOST_ATTEMPTS = 3;
const PANES_A_TRANSACTION = 2;

/** One round of a closer: both steps up to `boundary`, then what late events ask for. */
export function* close(world: World, boundary: number): Steps {
  const { database } = world;
  yield* before(`moves closed_through to ${boundary}`);
  const moved = yield* database.ask(`move to ${boundary}`, (transaction) => move(transaction, world.guards, boundary));
  if (moved.code !== 'done') return;
  while (database.tables.clock.writtenThrough < boundary) {
    yield* before('writes the next panes');
    if (!(yield* inTurn(world, 'write panes', (transaction) => writePanes(transaction, world.guards)))) return;
  }
  yield* amend(world);
}

export function* amend(world: World): Steps {
  for (;;) {
    yield* before('looks for late events');
    const { late, clock } = world.database.tables;
    if (![...late.values()].some((mark) => isWaiting(mark) && mark.pane < clock.writtenThrough)) return;
    if (!(yield* inTurn(world, 'amend', (transaction) => amendPane(transaction, world.guards)))) return;
  }
}

/** Step (a). The clock's row first, then the clock alone: every earlier batch has committed by then. */
function* move(transaction: ModelTransaction, guards: Guards, boundary: number): Steps {
  yield* transaction.lock('clock row', 'exclusive');
  if (boundary <= transaction.committed.clock.closedThrough) return;
  if (guards.clockLock) yield* transaction.lock('clock', 'exclusive');
  yield* before('sets closed_through');
  transaction.write((tables) => {
    tables.clock = { ...tables.clock, closedThrough: boundary, version: tables.clock.version + 1 };
  });
}

/** True when the transaction went through. */
function* inTurn(world: World, name: string, body: (transaction: ModelTransaction) => Steps): Steps<boolean> {
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
    const answer: Answer<void> = yield* world.database.ask(name, body);
    if (answer.code === 'done') return true;
    if (answer.code === 'lost') return false;
  }
  return false;
}

/** The snapshot is older than the wait for the row: what changed the row in between refuses it. */
function* holdClock(transaction: ModelTransaction, guards: Guards): Steps {
  const { version } = transaction.snapshot.clock;
  yield* transaction.lock('clock row', 'exclusive');
  if (!guards.oneSnapshot) transaction.forgetSnapshot();
  else if (transaction.committed.clock.version !== version) throw new SqlError('40001');
  if (!guards.clockRowUpdated) return;
  transaction.write((tables) => {
    tables.clock = { ...tables.clock, version: tables.clock.version + 1 };
  });
}

function* nextStatement(transaction: ModelTransaction, guards: Guards, what: string): Steps {
  yield* before(what);
  if (!guards.oneSnapshot) transaction.forgetSnapshot();
}

/** Step (b): facts of the next panes, the windows that end there, late marks and written_through. */
function* writePanes(transaction: ModelTransaction, guards: Guards): Steps {
  yield* holdClock(transaction, guards);
  const { closedThrough, writtenThrough } = transaction.snapshot.clock;
  const end = Math.min(closedThrough, writtenThrough + PANES_A_TRANSACTION);
  if (end <= writtenThrough) return;
  const panes = Array.from({ length: end - writtenThrough }, (_, index) => writtenThrough + index);
  yield* nextStatement(transaction, guards, 'rolls up the panes');
  const facts = new Map(transaction.snapshot.facts);
  for (const pane of panes) {
    const rolledUp = factsOf(transaction.snapshot, pane);
    facts.set(pane, rolledUp);
    // Adds to what is there, as an insert does: a pane that is written twice counts double.
    transaction.write((tables) => tables.facts.set(pane, [...(tables.facts.get(pane) ?? []), ...rolledUp].toSorted()));
  }
  yield* nextStatement(transaction, guards, 'marks late events as applied');
  markApplied(transaction, panes);
  if (!guards.writtenThroughMovesWithResults) {
    writeWindows(transaction, panes, facts);
    transaction.commitSoFar();
  }
  yield* before('moves written_through');
  transaction.write((tables) => {
    tables.clock = { ...tables.clock, writtenThrough: end, version: tables.clock.version + 1 };
  });
  yield* before('writes the windows');
  if (guards.writtenThroughMovesWithResults) writeWindows(transaction, panes, facts);
}

function writeWindows(
  transaction: ModelTransaction,
  panes: readonly number[],
  facts: ReadonlyMap<number, readonly string[]>,
): void {
  for (const pane of panes) {
    const counted = countedIn(facts, pane + 1);
    transaction.write(({ windows, closes }) => {
      windows.set(pane + 1, { revision: 1, counted });
      closes.set(pane + 1, counted);
    });
  }
}

/** The earliest pane that late events wait for, and the written windows over it. */
function* amendPane(transaction: ModelTransaction, guards: Guards): Steps {
  yield* holdClock(transaction, guards);
  const { clock, late } = transaction.snapshot;
  const dirty = [...late.values()].filter((mark) => isWaiting(mark) && mark.pane < clock.writtenThrough);
  if (dirty.length === 0) return;
  const pane = Math.min(...dirty.map((mark) => mark.pane));
  yield* nextStatement(transaction, guards, `rolls up pane ${pane} again`);
  const facts = new Map(transaction.snapshot.facts);
  facts.set(pane, factsOf(transaction.snapshot, pane));
  const again = facts.get(pane) ?? [];
  transaction.write((tables) => tables.facts.set(pane, again));
  yield* nextStatement(transaction, guards, 'amends the windows');
  for (const end of [pane + 1, pane + 2]) {
    const window = transaction.snapshot.windows.get(end);
    const is = countedIn(facts, end);
    if (end > clock.writtenThrough || !window || window.counted === is) continue;
    transaction.write(({ windows, amendments }) => {
      windows.set(end, { revision: window.revision + 1, counted: is });
      amendments.push({ end, was: window.counted, is });
    });
  }
  if (!guards.amendsAndMarksTogether) {
    transaction.commitSoFar();
    transaction.forgetSnapshot();
  }
  yield* nextStatement(transaction, guards, 'marks late events as applied');
  markApplied(transaction, [pane]);
}

const isWaiting = (mark: { beyond: boolean; applied: boolean }): boolean => !mark.beyond && !mark.applied;

/** Every event of the pane but those beyond the horizon, each as often as it is stored. */
function factsOf({ events, late }: Tables, pane: number): string[] {
  const found: string[] = [];
  for (const [id, event] of events) {
    if (event.pane !== pane || late.get(id)?.beyond) continue;
    for (let copy = 0; copy < event.copies; copy += 1) found.push(id);
  }
  return found.toSorted();
}

/** What the window that ends with pane `end - 1` counts. */
export function countedIn(facts: ReadonlyMap<number, readonly string[]>, end: number): string {
  return [...(facts.get(end - 2) ?? []), ...(facts.get(end - 1) ?? [])].join(' ');
}

function markApplied(transaction: ModelTransaction, panes: readonly number[]): void {
  for (const [id, mark] of transaction.snapshot.late) {
    if (!isWaiting(mark) || !panes.includes(mark.pane)) continue;
    // The row was updated behind the snapshot's back.
    if (transaction.committed.late.get(id)?.applied) throw new SqlError('40001');
    transaction.write(({ late }) => late.set(id, { ...mark, applied: true }));
  }
}
