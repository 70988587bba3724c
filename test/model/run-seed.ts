// One run of the model: a seed decides the log, who moves when, and what breaks; the promises are checked all along.
import { amend, close } from './close-steps.ts';
import { ALL_GUARDS } from './guards.ts';
import type { Guards } from './guards.ts';
import { lease, rewind } from './ingest-steps.ts';
import type { LogEntry, World } from './ingest-steps.ts';
import { Violation, checkCommit, checkEnd } from './invariants.ts';
import { ModelDatabase } from './model-database.ts';
import { Schedule } from './schedule.ts';
import type { Chance, Process } from './schedule.ts';
import { Sharing } from './shared-steps.ts';

const PARTITIONS = 2;
const PANES = 8;
const MESSAGES = 14;
/** Steps with faults, then steps that a healed system may take to come to rest. */
const FAULTY_STEPS = 450;
const HEALED_STEPS = 20_000;
const WORKERS = ['worker 1', 'worker 2'];
const CLOSERS = ['closer 1', 'closer 2'];

/** `violation` null: all promises held. What happened on the way says whether the run could have shown anything. */
export type SeedRun = {
  readonly violation: Violation | null;
  readonly trace: readonly string[];
  readonly seen: Seen;
};

/** How often each interesting thing happened. */
export type Seen = Record<string, number>;

/** The same seed and guards give the same run. */
export function runSeed(seed: number, removed: Partial<Guards> = {}, traced = false): SeedRun {
  const run = new Run(seed, { ...ALL_GUARDS, ...removed }, traced);
  try {
    run.toTheEnd();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { violation: error, trace: run.trace, seen: run.seen };
  }
  return { violation: null, trace: run.trace, seen: run.seen };
}

class Run {
  readonly seen: Seen = {};
  readonly #schedule: Schedule;
  readonly #chance: Chance;
  readonly #world: World;
  readonly #leases = new Map<number, Process[]>();
  readonly #closes = new Map<string, Process>();
  readonly #rewinds: Process[] = [];

  constructor(seed: number, guards: Guards, traced: boolean) {
    this.#schedule = new Schedule(seed, traced);
    this.#chance = this.#schedule.chance;
    const database = new ModelDatabase(this.#schedule, PARTITIONS, checkCommit);
    const logs = logsOf(this.#chance);
    this.#world = { guards, schedule: this.#schedule, database, logs, keptSets: new Map(), sharing: new Sharing() };
    for (const [partition, log] of logs.entries())
      this.#schedule.note(`log ${partition}: ${log.map(textOf).join(' ')}`);
  }

  get trace(): readonly string[] {
    return this.#schedule.trace ?? [];
  }

  toTheEnd(): void {
    for (let step = 0; step < FAULTY_STEPS; step += 1) {
      this.#startWhatIsMissing();
      if (this.#chance.happens(0.02)) this.#breakSomething();
      if (this.#chance.happens(0.004)) this.#rewind();
      this.#schedule.step();
    }
    this.#schedule.note('--- all faults are over');
    this.#settle('everything is read', () => this.#isRead());
    this.#closeAll();
    this.#count();
    checkEnd(this.#world.database.tables, this.#world.logs, PANES);
  }

  #closeAll(): void {
    this.#settle('closers come to rest', () => [...this.#closes.values()].every(({ over }) => over));
    const last = this.#schedule.spawn('closer 3', 'closer 3', close(this.#world, PANES));
    this.#settle('the last close', () => last.over);
    const amended = this.#schedule.spawn('closer 3', 'closer 3', amend(this.#world));
    this.#settle('the last amendments', () => amended.over && this.#world.database.openSessions === 0);
  }

  /** Liveness: what healed must come to rest. */
  #settle(what: string, isDone: () => boolean): void {
    for (let step = 0; step < HEALED_STEPS; step += 1) {
      if (isDone()) return;
      if (what === 'everything is read') this.#startLeases(0);
      if (!this.#schedule.step() && !isDone() && what !== 'everything is read') break;
    }
    throw new Violation('everything comes to rest', what);
  }

  #isRead(): boolean {
    const { logs, database } = this.#world;
    const isAtEnd = logs.every((log, partition) => database.tables.checkpoints[partition]?.next === log.length);
    const processes = [...this.#leases.values(), this.#rewinds].flat();
    return isAtEnd && processes.every(({ over }) => over) && database.openSessions === 0;
  }

  #startWhatIsMissing(): void {
    this.#startLeases(0.01);
    for (const owner of CLOSERS) {
      if (this.#closes.get(owner)?.over === false || !this.#chance.happens(0.02)) continue;
      const { closedThrough } = this.#world.database.tables.clock;
      const boundary = Math.min(PANES, closedThrough + this.#chance.below(4));
      this.#closes.set(owner, this.#schedule.spawn(owner, owner, close(this.#world, boundary)));
    }
  }

  /** A partition without a lease gets one; sometimes a second one while the first still believes in itself. */
  #startLeases(takeover: number): void {
    const { logs, database } = this.#world;
    for (const [partition, log] of logs.entries()) {
      const living = (this.#leases.get(partition) ?? []).filter(({ over }) => !over);
      const isAtEnd = database.tables.checkpoints[partition]?.next === log.length;
      if (living.length > 0 ? !this.#chance.happens(takeover) : isAtEnd) continue;
      if (living.length > 0) this.#happened('takeover');
      const owner = this.#chance.pick(WORKERS) ?? 'worker';
      const name = `${owner}, partition ${partition},`;
      this.#leases.set(partition, [...living, this.#schedule.spawn(owner, name, lease(this.#world, owner, partition))]);
    }
  }

  #rewind(): void {
    const partition = this.#chance.below(PARTITIONS);
    const name = `operator, partition ${partition},`;
    this.#rewinds.push(this.#schedule.spawn('operator', name, rewind(this.#world, partition)));
  }

  #breakSomething(): void {
    const { database, keptSets, sharing } = this.#world;
    const draw = this.#chance.fraction();
    if (draw < 0.5) database.loseOne();
    else if (draw < 0.6) database.crash();
    else {
      const owner = this.#chance.pick([...WORKERS, ...CLOSERS]) ?? '';
      this.#schedule.note(`--- ${owner} crashes`);
      this.#schedule.killOwner(owner);
      sharing.forget(owner);
      for (const key of keptSets.keys()) if (key.startsWith(owner)) keptSets.delete(key);
    }
    this.#happened('fault');
  }

  #happened(what: string, times = 1): void {
    this.seen[what] = (this.seen[what] ?? 0) + times;
  }

  #count(): void {
    const { checkpoints, late, amendments } = this.#world.database.tables;
    for (const [what, times] of Object.entries(this.#world.sharing.seen)) this.#happened(what, times);
    for (const { duplicate, epoch, ended } of checkpoints) {
      this.#happened('rewind', ended.runs);
      this.#happened('duplicate', duplicate);
      this.#happened('lease', epoch);
    }
    this.#happened('late event', late.size);
    this.#happened('left out', [...late.values()].filter(({ beyond }) => beyond).length);
    this.#happened('amendment', amendments.length);
  }
}

/** Event time moves with the log, in disorder; ids come twice, in their partition or in the other one. */
function logsOf(chance: Chance): LogEntry[][] {
  const made: LogEntry[] = [];
  return Array.from({ length: PARTITIONS }, (_partition, partition) =>
    Array.from({ length: MESSAGES }, (_message, offset): LogEntry => {
      const draw = chance.fraction();
      if (draw < 0.06) return { kind: 'hole' };
      if (draw < 0.14) return { kind: 'malformed' };
      if (draw < 0.34) {
        const again = chance.pick(made);
        if (again) return again;
      }
      const aim = Math.floor((offset * PANES) / MESSAGES) + 1 - chance.below(4);
      const pane = Math.max(0, Math.min(PANES - 1, aim));
      const event: LogEntry = { kind: 'event', id: `e${partition}.${offset}`, pane, poison: chance.happens(0.04) };
      made.push(event);
      return event;
    }),
  );
}

function textOf(entry: LogEntry): string {
  if (entry.kind !== 'event') return entry.kind;
  return `${entry.id}@${entry.pane}${entry.poison ? '!' : ''}`;
}
