// Ingestion, step by step: a lease, its chain of commits, and what PostgreSQL does for each of them.
import { must } from '../../pipeline/ensure.ts';
import type { Guards } from './guards.ts';
import { SqlError } from './model-database.ts';
import type { Answer, ModelCheckpoint, ModelDatabase, ModelTransaction } from './model-database.ts';
import { before, until } from './schedule.ts';
import type { Schedule, Steps } from './schedule.ts';
import { shareCommit } from './shared-steps.ts';
import type { Sharing } from './shared-steps.ts';

/** What stands at one offset of the log. `event`: identity; `poison`: a value that PostgreSQL will not take. */
export type LogEntry =
  | { readonly kind: 'event'; readonly id: string; readonly pane: number; readonly poison: boolean }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'hole' };

export type World = {
  readonly guards: Guards;
  readonly schedule: Schedule;
  readonly database: ModelDatabase;
  readonly logs: readonly (readonly LogEntry[])[];
  /** Sets of identities that outlive their chain, by process and partition: only without the guard. */
  readonly keptSets: Map<string, Set<string>>;
  readonly sharing: Sharing;
};

/** Late events further behind than this many panes are listed and left out. */
const HORIZON_PANES = 4;
const NEVER = -1;

type BatchEvent = { readonly id: string; readonly pane: number; readonly offset: number; readonly poison: boolean };
type Batch = {
  readonly from: number;
  readonly to: number;
  readonly events: readonly BatchEvent[];
  readonly rejected: readonly number[];
  readonly duplicates: readonly number[];
};
type Outcome = 'done' | 'fenced' | 'conflict' | 'lost';
type Claim = { readonly owner: string; readonly partition: number; readonly epoch: number; closedSeen: number };
type InFlight = { outcome: Outcome | null };

/** One lease in the program `owner`: takes the partition over and ingests until it is over, fenced, or has failed. */
export function* lease(world: World, owner: string, partition: number): Steps {
  const { database } = world;
  yield* before('takes the lease');
  const taken = yield* database.ask(`takeLease ${partition}`, (transaction) => takeLease(transaction, partition));
  if (!('result' in taken)) return;
  let checkpoint = taken.result;
  for (;;) {
    const claim: Claim = { owner, partition, epoch: checkpoint.epoch, closedSeen: NEVER };
    if ((yield* chain(world, claim, checkpoint.next)) !== 'conflict') return;
    yield* before('reads the checkpoint again');
    const again = database.tables.checkpoints[partition];
    if (again?.epoch !== checkpoint.epoch) return;
    checkpoint = again;
  }
}

function* takeLease(transaction: ModelTransaction, partition: number): Steps<ModelCheckpoint> {
  yield* transaction.lock(`checkpoint ${partition}`, 'exclusive');
  const checkpoint = checkpointOf(transaction, partition);
  const taken = { ...checkpoint, epoch: checkpoint.epoch + 1 };
  transaction.write((tables) => {
    tables.checkpoints = tables.checkpoints.with(partition, taken);
  });
  return taken;
}

/** Somebody has the partition read again, from an offset that was read before; the counts begin anew. */
export function* rewind(world: World, partition: number): Steps {
  yield* before('rewinds');
  yield* world.database.ask(`rewind ${partition}`, function* (transaction): Steps {
    yield* transaction.lock(`checkpoint ${partition}`, 'exclusive');
    const { next, epoch, ended, recorded, late } = checkpointOf(transaction, partition);
    const to = world.schedule.chance.below(next + 1);
    transaction.write((tables) => {
      tables.checkpoints = tables.checkpoints.with(partition, {
        first: to,
        next: to,
        epoch: world.guards.rewindRaisesEpoch ? epoch + 1 : epoch,
        ended: { runs: ended.runs + 1, recorded: ended.recorded + recorded, late: ended.late + late },
        recorded: 0,
        duplicate: 0,
        late: 0,
        rejected: 0,
        skipped: 0,
      });
    });
  });
}

function checkpointOf({ committed }: ModelTransaction, partition: number): ModelCheckpoint {
  const found = committed.checkpoints[partition];
  if (!found) throw new Error(`The model has no partition ${partition}.`);
  return found;
}

/** While one batch commits, the next one is fetched and judged. */
function* chain(world: World, claim: Claim, from: number): Steps<Outcome> {
  const { owner } = claim;
  const log = world.logs[claim.partition] ?? [];
  const recent = setOf(world, owner, claim.partition);
  let position = from;
  let inFlight: InFlight = { outcome: 'done' };
  for (;;) {
    yield* before(`fetches from ${position}`);
    const to = Math.min(log.length, position + 1 + world.schedule.chance.below(4));
    const batch = formBatch(log, { from: position, to }, recent);
    const commit = inFlight;
    yield* until('looks at the commit in hand', () => commit.outcome !== null);
    if (commit.outcome !== null && commit.outcome !== 'done') return commit.outcome;
    if (position === log.length || world.schedule.chance.happens(0.05)) return 'done';
    inFlight = { outcome: null };
    const name = `${owner}, partition ${claim.partition}, epoch ${claim.epoch}, batch ${batch.from} to ${batch.to},`;
    world.schedule.spawn(owner, name, commitInto(world, claim, { batch, inFlight }));
    position = to;
  }
}

function setOf({ guards, keptSets }: World, owner: string, partition: number): Set<string> {
  if (guards.setDiesWithChain) return new Set();
  const key = `${owner} ${partition}`;
  const kept = keptSets.get(key) ?? new Set();
  keptSets.set(key, kept);
  return kept;
}

function formBatch(log: readonly LogEntry[], { from, to }: { from: number; to: number }, recent: Set<string>): Batch {
  const events: BatchEvent[] = [];
  const rejected: number[] = [];
  const duplicates: number[] = [];
  for (let offset = from; offset < to; offset++) {
    const entry = log[offset];
    if (entry?.kind === 'malformed') rejected.push(offset);
    if (entry?.kind !== 'event') continue;
    if (recent.has(entry.id)) duplicates.push(offset);
    else events.push({ ...entry, offset });
    recent.add(entry.id);
  }
  return { from, to, events, rejected, duplicates };
}

function* commitInto(world: World, claim: Claim, { batch, inFlight }: { batch: Batch; inFlight: InFlight }): Steps {
  inFlight.outcome = yield* commitBatch(world, claim, batch);
}

function* commitBatch(world: World, claim: Claim, batch: Batch): Steps<Outcome> {
  const { database, guards } = world;
  let staged = false;
  for (;;) {
    const sql = { claim, batch, staged, closedSeen: claim.closedSeen, guards };
    const name = `commit ${claim.partition}/${claim.epoch} ${batch.from} to ${batch.to}${staged ? ' staged' : ''}`;
    const answer: Answer<void> = yield* askFor(world, name, sql);
    staged = false;
    if (answer.code === 'done') return 'done';
    if (answer.code === 'WR001') return 'fenced';
    if (answer.code === '40P01') return 'conflict';
    if (answer.code === '22P02') return yield* bisect(world, claim, batch);
    if (answer.code === '23505') staged = true;
    if (answer.code === 'WR002') {
      yield* before('reads closed_through');
      claim.closedSeen = database.tables.clock.closedThrough;
    }
    if (answer.code === 'lost') {
      if (!guards.neverAssumesCommitted) return 'done';
      if (guards.neverSendsAgain) return 'lost';
    }
  }
}

/** Together with other partitions' batches where it may be, alone where it may not or where they were refused. */
function* askFor(world: World, name: string, sql: CommitSql): Steps<Answer<void>> {
  const { batch, closedSeen, staged, claim } = sql;
  const isTimely = batch.events.length > 0 && batch.events.every(({ pane }) => pane >= closedSeen);
  if (!staged && isTimely && batch.rejected.length === 0) {
    const shared = yield* shareCommit(world, claim.owner, sql);
    if (shared !== 'alone') return shared;
  }
  return yield* world.database.ask(name, (transaction) => commitTransaction(transaction, [sql]));
}

/** Halves a batch that holds a value which PostgreSQL refuses, until the row stands alone and becomes a dead letter. */
function* bisect(world: World, claim: Claim, batch: Batch): Steps<Outcome> {
  const [only] = batch.events;
  if (!only) throw new Error('A batch without events cannot have been refused for a value.');
  if (batch.events.length === 1) {
    const refused = { ...batch, events: [], rejected: [...batch.rejected, only.offset] };
    return yield* commitBatch(world, claim, refused);
  }
  const boundary = (batch.events[(batch.events.length >> 1) - 1]?.offset ?? batch.from) + 1;
  const part = (from: number, to: number): Batch => {
    const inside = (offset: number): boolean => offset >= from && offset < to;
    return {
      from,
      to,
      events: batch.events.filter(({ offset }) => inside(offset)),
      rejected: batch.rejected.filter(inside),
      duplicates: batch.duplicates.filter(inside),
    };
  };
  const first = yield* commitBatch(world, claim, part(batch.from, boundary));
  return first === 'done' ? yield* commitBatch(world, claim, part(boundary, batch.to)) : first;
}

export type CommitSql = {
  readonly claim: Claim;
  readonly batch: Batch;
  readonly staged: boolean;
  readonly closedSeen: number;
  readonly guards: Guards;
};

/** One transaction: of one batch, or of several partitions' with nothing but timely events. */
export function* commitTransaction(transaction: ModelTransaction, parts: readonly CommitSql[]): Steps {
  const { guards } = must(parts[0], 'a batch to commit');
  if (guards.clockLock) yield* transaction.lock('clock', 'shared');
  for (const part of parts) {
    yield* transaction.lock(`checkpoint ${part.claim.partition}`, 'exclusive');
    yield* advanceCheckpoint(transaction, part);
  }
  if (!guards.checkpointMovesWithRows) {
    transaction.commitSoFar();
    yield* before('goes on to the rows');
  }
  for (const part of parts) yield* insertRows(transaction, part);
}

function* insertRows(transaction: ModelTransaction, sql: CommitSql): Steps {
  const { claim, batch, staged, closedSeen, guards } = sql;
  let recorded = 0;
  let late = 0;
  const order = staged ? batch.events.toSorted((one, other) => (one.id < other.id ? -1 : 1)) : batch.events;
  for (const event of order) {
    yield* before(`inserts ${event.id}`);
    if (event.poison) throw new SqlError('22P02');
    if (!(yield* insertEvent(transaction, event, { staged, guards }))) continue;
    recorded += 1;
    if (event.pane >= closedSeen) continue;
    late += 1;
    const beyond = event.pane < closedSeen - HORIZON_PANES;
    transaction.write(({ late: marks }) => marks.set(event.id, { pane: event.pane, beyond, applied: false }));
  }
  if (!guards.countsWhatWasInserted) recorded = batch.events.length;
  const known = batch.events.length - recorded;
  transaction.write((tables) => {
    const checkpoint = checkpointOf(transaction, claim.partition);
    const seen = batch.events.length + batch.rejected.length + batch.duplicates.length;
    tables.checkpoints = tables.checkpoints.with(claim.partition, {
      ...checkpoint,
      recorded: checkpoint.recorded + recorded,
      late: checkpoint.late + late,
      duplicate: checkpoint.duplicate + batch.duplicates.length + known,
      rejected: checkpoint.rejected + batch.rejected.length,
      skipped: checkpoint.skipped + batch.to - batch.from - seen,
    });
    for (const offset of batch.rejected) {
      const key = `${claim.partition}:${offset}`;
      const made = tables.letters.get(key) ?? 0;
      if (made === 0 || !guards.oneLetterAPlace) tables.letters.set(key, made + 1);
    }
  });
}

/** As in PostgreSQL: the clock's lock is held, then the row, then closed_through is read. */
function* advanceCheckpoint(transaction: ModelTransaction, { claim, batch, closedSeen, guards }: CommitSql): Steps {
  yield* before('moves the checkpoint');
  const checkpoint = checkpointOf(transaction, claim.partition);
  const isFenced =
    (guards.epoch && checkpoint.epoch !== claim.epoch) || (guards.fromOffset && checkpoint.next !== batch.from);
  if (isFenced) throw new SqlError('WR001');
  transaction.claims.push(claim);
  transaction.write((tables) => {
    const moved = { ...checkpointOf(transaction, claim.partition), next: batch.to };
    tables.checkpoints = tables.checkpoints.with(claim.partition, moved);
  });
  yield* before('reads closed_through');
  const { closedThrough } = transaction.committed.clock;
  const isUnmarked = batch.events.some(({ pane }) => pane >= closedSeen && pane < closedThrough);
  if (guards.refusesClosedMeanwhile && isUnmarked) throw new SqlError('WR002');
}

/** False: it was there, and the staging table leaves it out. */
function* insertEvent(
  transaction: ModelTransaction,
  { id, pane }: BatchEvent,
  { staged, guards }: { staged: boolean; guards: Guards },
): Steps<boolean> {
  if (guards.uniqueKey) {
    yield* transaction.lock(`event ${id}`, 'exclusive');
    if (transaction.committed.events.has(id) || transaction.inserted.has(id)) {
      if (staged) return false;
      throw new SqlError('23505');
    }
  }
  transaction.inserted.add(id);
  transaction.write(({ events }) => events.set(id, { pane, copies: (events.get(id)?.copies ?? 0) + 1 }));
  return true;
}
