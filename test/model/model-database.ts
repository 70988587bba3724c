// PostgreSQL as far as the protocols lean on it: transactions, locks, snapshots, and sessions that outlive their clients.
import { must } from '../../pipeline/ensure.ts';
import { before, until } from './schedule.ts';
import type { Process, Schedule, Steps } from './schedule.ts';

type Counted = { recorded: number; duplicate: number; late: number; rejected: number; skipped: number };
/** Counts from `first` on, where the present run began; of the ended runs, what their rows are held against. */
export type ModelCheckpoint = Counted & {
  first: number;
  next: number;
  epoch: number;
  ended: { readonly runs: number; readonly recorded: number; readonly late: number };
};
type StoredEvent = { readonly pane: number; readonly copies: number };
type LateMark = { readonly pane: number; readonly beyond: boolean; readonly applied: boolean };
/** A window holds the panes `end - 2` and `end - 1`; its result is the list of what was counted, in order. */
type ModelWindow = { readonly revision: number; readonly counted: string };
type Amendment = { readonly end: number; readonly was: string; readonly is: string };

export type Tables = {
  checkpoints: readonly ModelCheckpoint[];
  readonly events: Map<string, StoredEvent>;
  readonly late: Map<string, LateMark>;
  /** Times that the message at "partition:offset" became a dead letter. */
  readonly letters: Map<string, number>;
  /** `version` moves with every update of the row. */
  clock: { readonly closedThrough: number; readonly writtenThrough: number; readonly version: number };
  readonly facts: Map<number, readonly string[]>;
  readonly windows: Map<number, ModelWindow>;
  /** What each window held when it closed, and every change since. */
  readonly closes: Map<number, string>;
  readonly amendments: Amendment[];
};

const NOTHING: ModelCheckpoint = {
  first: 0,
  next: 0,
  epoch: 0,
  ended: { runs: 0, recorded: 0, late: 0 },
  recorded: 0,
  duplicate: 0,
  late: 0,
  rejected: 0,
  skipped: 0,
};

function copyOf(tables: Tables): Tables {
  return {
    checkpoints: tables.checkpoints,
    events: new Map(tables.events),
    late: new Map(tables.late),
    letters: new Map(tables.letters),
    clock: tables.clock,
    facts: new Map(tables.facts),
    windows: new Map(tables.windows),
    closes: new Map(tables.closes),
    amendments: [...tables.amendments],
  };
}

export class SqlError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

type Lock = { readonly shared: Set<ModelTransaction>; exclusive: ModelTransaction | null };

export class ModelTransaction {
  readonly name: string;
  /** Identities it has inserted; nobody else sees them before the commit. */
  readonly inserted = new Set<string>();
  /** The leases that it moves checkpoints for. */
  readonly claims: { readonly partition: number; readonly epoch: number }[] = [];
  /** What it was waiting for when it last had to. */
  waitsFor: Lock | null = null;
  readonly #database: ModelDatabase;
  #writes: ((tables: Tables) => void)[] = [];
  #snapshot: Tables | null = null;

  constructor(database: ModelDatabase, name: string) {
    this.#database = database;
    this.name = name;
  }

  /** What the next statement sees in READ COMMITTED. */
  get committed(): Tables {
    return this.#database.tables;
  }

  /** What every statement sees in REPEATABLE READ. */
  get snapshot(): Tables {
    this.#snapshot ??= copyOf(this.#database.tables);
    return this.#snapshot;
  }

  forgetSnapshot(): void {
    this.#snapshot = null;
  }

  write(change: (tables: Tables) => void): void {
    this.#writes.push(change);
  }

  /** In the middle of a transaction: what a product that splits it in two would do. */
  commitSoFar(): void {
    for (const change of this.#writes) change(this.#database.tables);
    this.#writes = [];
    this.#database.committed(this);
  }

  commit(): void {
    this.commitSoFar();
    this.#database.release(this);
  }

  *lock(name: string, mode: 'shared' | 'exclusive'): Steps {
    const lock = this.#database.lockNamed(name);
    const granted = (): boolean =>
      (lock.exclusive === null || lock.exclusive === this) &&
      (mode === 'shared' || [...lock.shared].every((holder) => holder === this));
    if (!granted()) {
      this.waitsFor = lock;
      if (this.#waitsForItself()) throw new SqlError('40P01');
      yield* until(`gets the lock of ${name}`, granted);
      this.waitsFor = null;
    }
    if (mode === 'shared') lock.shared.add(this);
    else lock.exclusive = this;
  }

  #waitsForItself(): boolean {
    const seen = new Set<ModelTransaction>();
    const open: ModelTransaction[] = [this];
    for (let one = open.pop(); one; one = open.pop()) {
      const lock = one.waitsFor;
      if (!lock) continue;
      for (const holder of [...lock.shared, ...(lock.exclusive ? [lock.exclusive] : [])]) {
        if (holder === this) return true;
        if (!seen.has(holder)) open.push(holder);
        seen.add(holder);
      }
    }
    return false;
  }
}

export type Answer<Result> =
  | { readonly code: 'done'; readonly result: Result }
  | { readonly code: 'lost' }
  | { readonly code: string };
type Session = { readonly process: Process; readonly transaction: ModelTransaction; lose: () => void };

export class ModelDatabase {
  readonly tables: Tables;
  readonly #schedule: Schedule;
  readonly #watch: (tables: Tables, transaction: ModelTransaction) => void;
  readonly #locks = new Map<string, Lock>();
  #sessions: Session[] = [];
  #made = 0;

  /** `watch` is told after every commit. */
  constructor(schedule: Schedule, partitions: number, watch: (tables: Tables, transaction: ModelTransaction) => void) {
    this.#schedule = schedule;
    this.#watch = watch;
    this.tables = {
      checkpoints: Array.from({ length: partitions }, () => NOTHING),
      events: new Map(),
      late: new Map(),
      letters: new Map(),
      clock: { closedThrough: 0, writtenThrough: 0, version: 0 },
      facts: new Map(),
      windows: new Map(),
      closes: new Map(),
      amendments: [],
    };
  }

  get openSessions(): number {
    return this.#sessions.length;
  }

  lockNamed(name: string): Lock {
    const lock = this.#locks.get(name) ?? { shared: new Set(), exclusive: null };
    this.#locks.set(name, lock);
    return lock;
  }

  release(transaction: ModelTransaction): void {
    for (const [name, lock] of this.#locks) {
      lock.shared.delete(transaction);
      if (lock.exclusive === transaction) lock.exclusive = null;
      if (lock.exclusive === null && lock.shared.size === 0 && name.startsWith('event')) this.#forget(name, lock);
    }
  }

  committed(transaction: ModelTransaction): void {
    this.#watch(this.tables, transaction);
  }

  /**
   * Sends a whole transaction in one message and waits for its reply. The server carries it out by itself: whether the
   * client lives on, or hears of it, makes no difference to it.
   */
  *ask<Result>(name: string, body: (transaction: ModelTransaction) => Steps<Result>): Steps<Answer<Result>> {
    const mail: { answer: Answer<Result> | null } = { answer: null };
    const title = `session ${++this.#made} (${name})`;
    const transaction = new ModelTransaction(this, title);
    const process = this.#schedule.spawn('server', title, this.#serve(transaction, body, mail));
    const session: Session = { process, transaction, lose: () => (mail.answer ??= { code: 'lost' }) };
    this.#sessions.push(session);
    yield* until(`hears about ${name}`, () => mail.answer !== null);
    return must(mail.answer, 'an answer that was waited for');
  }

  *#serve<Result>(
    transaction: ModelTransaction,
    body: (transaction: ModelTransaction) => Steps<Result>,
    mail: { answer: Answer<Result> | null },
  ): Steps {
    let answer: Answer<Result>;
    try {
      yield* before('begins');
      const result = yield* body(transaction);
      yield* before('commits');
      transaction.commit();
      answer = { code: 'done', result };
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      this.#schedule.note(`${transaction.name} fails with ${error.code}`);
      this.release(transaction);
      answer = { code: error.code };
    }
    yield* before('answers');
    this.#sessions = this.#sessions.filter((session) => session.transaction !== transaction);
    mail.answer ??= answer;
  }

  /** The line of one session breaks: its client hears nothing any more; the server may finish first or notice first. */
  loseOne(): void {
    const session = this.#schedule.chance.pick(this.#sessions);
    if (!session) return;
    const finishes = this.#schedule.chance.happens(0.6);
    this.#schedule.note(
      `--- the line of ${session.transaction.name} breaks; the server ${finishes ? 'goes on' : 'rolls back'}`,
    );
    session.lose();
    if (!finishes) this.#abort(session);
  }

  crash(): void {
    this.#schedule.note('--- the database crashes');
    for (const session of this.#sessions) {
      session.lose();
      this.#abort(session);
    }
  }

  #abort(session: Session): void {
    this.#schedule.kill(session.process);
    this.release(session.transaction);
    this.#sessions = this.#sessions.filter((each) => each !== session);
  }

  #forget(name: string, lock: Lock): void {
    // Somebody may be about to take it.
    if (!this.#sessions.some(({ transaction }) => transaction.waitsFor === lock)) this.#locks.delete(name);
  }
}
