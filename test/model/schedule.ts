// Who moves next: processes as generators, one step of one of them at a time, chosen by a seed.

/** Before its next step a process waits until `ready`; `what` it will do then, for the trace. */
type Pause = { readonly what: string; readonly ready: () => boolean };
export type Steps<Result = void> = Generator<Pause, Result, void>;

const ALWAYS = (): boolean => true;

/** Anything may happen elsewhere before `what`. */
export function* before(what: string): Steps {
  yield { what, ready: ALWAYS };
}

export function* until(what: string, ready: () => boolean): Steps {
  yield { what, ready };
}

/** Mulberry32: the same seed, the same run. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b9);
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  happens(share: number): boolean {
    return this.fraction() < share;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}

/** `owner`: the program it runs in; killing the owner stops it without a farewell. */
export type Process = {
  readonly owner: string;
  readonly name: string;
  readonly steps: Steps;
  pause: Pause | null;
  over: boolean;
};

export class Schedule {
  readonly chance: Chance;
  /** Null: not kept, for speed. */
  readonly trace: string[] | null;
  #processes: Process[] = [];

  constructor(seed: number, traced: boolean) {
    this.chance = new Chance(seed);
    this.trace = traced ? [] : null;
  }

  spawn(owner: string, name: string, steps: Steps): Process {
    const process: Process = { owner, name, steps, pause: null, over: false };
    this.#processes.push(process);
    return process;
  }

  kill(process: Process): void {
    process.over = true;
    this.#processes = this.#processes.filter((each) => each !== process);
  }

  killOwner(owner: string): void {
    for (const process of this.#processes) if (process.owner === owner) process.over = true;
    this.#processes = this.#processes.filter((each) => !each.over);
  }

  note(line: string): void {
    this.trace?.push(line);
  }

  /** One step of one process that can make one; false when none can. */
  step(): boolean {
    const ready = this.#processes.filter(({ pause }) => pause === null || pause.ready());
    const process = this.chance.pick(ready);
    if (!process) return false;
    if (process.pause) this.note(`${process.name} ${process.pause.what}`);
    const { done, value } = process.steps.next();
    process.pause = done ? null : value;
    if (done) this.kill(process);
    return true;
  }
}
