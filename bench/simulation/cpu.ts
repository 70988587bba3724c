// Cores that work off jobs, and programs that run on them: where a simulation spends its time.
import type { EventQueue } from './event-queue.ts';

type Job = { leftMs: number; readonly part: string; readonly done: () => void };

/** Whatever takes CPU time: the cores of a machine, or one program that has a single thread on them. */
export type Runner = { run(job: { ms: number; part: string; done: () => void }): void };

/** A job that lasts longer goes behind those that wait, as an operating system would have it. */
const SLICE_MS = 2;

/** Cores of one machine, which take jobs in the order they come, a slice at a time. */
export class Cpu implements Runner {
  /** Milliseconds of core time by part since `forget`. */
  readonly busyMs = new Map<string, number>();
  readonly cores: number;
  readonly #queue: EventQueue;
  readonly #waiting = new Fifo<Job>();
  #free: number;

  constructor(queue: EventQueue, cores: number) {
    this.#queue = queue;
    this.cores = cores;
    this.#free = cores;
  }

  run({ ms, part, done }: { ms: number; part: string; done: () => void }): void {
    this.#waiting.push({ leftMs: ms, part, done });
    this.#serve();
  }

  /** Begins to count anew. */
  forget(): void {
    this.busyMs.clear();
  }

  #serve(): void {
    while (this.#free > 0) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#free -= 1;
      const sliceMs = Math.min(job.leftMs, SLICE_MS);
      this.#queue.after(sliceMs, () => this.#sliced(job, sliceMs));
    }
  }

  #sliced(job: Job, sliceMs: number): void {
    this.busyMs.set(job.part, (this.busyMs.get(job.part) ?? 0) + sliceMs);
    this.#free += 1;
    job.leftMs -= sliceMs;
    if (job.leftMs > 0) this.#waiting.push(job);
    else job.done();
    this.#serve();
  }
}

/** One program with one thread on a machine: its jobs follow each other, whatever cores are free. */
export class Thread implements Runner {
  readonly #cpu: Runner;
  readonly #waiting = new Fifo<{ ms: number; part: string; done: () => void }>();
  #isBusy = false;

  constructor(cpu: Runner) {
    this.#cpu = cpu;
  }

  run(job: { ms: number; part: string; done: () => void }): void {
    this.#waiting.push(job);
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    const job = this.#waiting.shift();
    this.#isBusy = job !== undefined;
    if (job === undefined) return;
    this.#cpu.run({
      ...job,
      done: () => {
        job.done();
        this.#next();
      },
    });
  }
}

/** First in, first out, without moving what waits. */
class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#first += 1;
    if (this.#first > 1_000 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}
