// Where the parts of a worker write down how they are, and what its probes answer from it at once.
import { addCheck, isAlive, isReady, isWell, waits } from './health.ts';
import type { HealthReport, LoopReport, ServerCheck, ServerName, WorkerPhase } from './health.ts';

/** What a probe answers: a status of HTTP and a JSON body. */
export type ProbeAnswer = { readonly status: 200 | 503; readonly body: object };

/** Where loops are watched. `watch` takes a question that is asked whenever a probe comes; what it returns ends that. */
export type LoopWatch = { watch(report: () => LoopReport): () => void };

type Clock = { readonly nowMs: () => number; readonly now: () => Date };
const CLOCK: Clock = { nowMs: () => performance.now(), now: () => new Date() };

export class HealthRecord implements LoopWatch {
  readonly #clock: Clock;
  readonly #loops = new Set<() => LoopReport>();
  readonly #checks = new Map<ServerName, ServerCheck | null>();
  #phase: WorkerPhase = 'starting';
  #waitingFor: string | null = null;
  #isPolling: (() => boolean) | null = null;
  #turnedMs: number;

  /** `needs`: the servers without which the worker cannot work. */
  constructor({ needs, clock = CLOCK }: { readonly needs: readonly ServerName[]; readonly clock?: Clock }) {
    this.#clock = clock;
    this.#turnedMs = clock.nowMs();
    this.watch(() => this.#runLoop());
    for (const server of needs) this.#checks.set(server, null);
  }

  get needs(): readonly ServerName[] {
    return [...this.#checks.keys()];
  }

  /** The worker is in another phase. Who was asked to end stays draining: its end is no trouble. */
  entered(phase: WorkerPhase): void {
    if (this.#phase === 'draining') return;
    this.#phase = phase;
    this.#turnedMs = this.#clock.nowMs();
    this.#waitingFor = null;
    this.#isPolling = null;
  }

  /** It begins another try to reach Temporal; with a sentence: the last one failed because of that. */
  connects(sentence?: string): void {
    const waitingFor = sentence ?? this.#waitingFor;
    this.entered('connecting');
    this.#waitingFor = waitingFor;
  }

  /** It takes work from now on, as long as `isPolling` says so. */
  polls(isPolling: () => boolean): void {
    this.entered('polling');
    this.#isPolling = isPolling;
  }

  watch(report: () => LoopReport): () => void {
    this.#loops.add(report);
    return () => void this.#loops.delete(report);
  }

  /** What a check found. Returns how long it had been in trouble (ms) when it is well again, its trouble when that is new, or null. */
  checked(server: ServerName, trouble: string | null): { wellAfterMs: number } | { trouble: string } | null {
    const { nowMs, now } = this.#clock;
    const before = this.#checks.get(server) ?? null;
    const after = addCheck(before, { trouble, nowMs: nowMs(), now: now() });
    this.#checks.set(server, after);
    if (trouble !== null) return before === null || before.trouble === null ? { trouble } : null;
    return before === null || before.trouble === null ? null : { wellAfterMs: after.checkedMs - before.sinceMs };
  }

  /** For `/healthz`. */
  liveness(): ProbeAnswer {
    const report = this.#report();
    const { holds, reasons } = isAlive(report, this.#clock.nowMs());
    const { phase, loops } = report;
    if (!holds) return { status: 503, body: { status: 'stuck', phase, reasons } };
    return { status: 200, body: { status: 'ok', phase, loops: loops.length, waitingFor: waits(report) } };
  }

  /** For `/readyz`. */
  readiness(): ProbeAnswer {
    const report = this.#report();
    const { holds, reasons } = isReady(report, this.#clock.nowMs());
    const { phase } = report;
    return holds
      ? { status: 200, body: { status: 'ready', phase, servers: this.needs } }
      : { status: 503, body: { status: 'not ready', phase, reasons } };
  }

  /** For the metrics: which servers were well when last asked, and whether the worker is ready. */
  figures(): { readonly ready: boolean; readonly servers: ReadonlyMap<ServerName, boolean> } {
    const nowMs = this.#clock.nowMs();
    return {
      ready: isReady(this.#report(), nowMs).holds,
      servers: new Map([...this.#checks].map(([server, check]) => [server, isWell(check, nowMs)])),
    };
  }

  /** Polling is its turn; so is each try to connect. */
  #runLoop(): LoopReport {
    if (this.#isPolling?.()) this.#turnedMs = this.#clock.nowMs();
    return { name: 'The run loop of the worker', turnedMs: this.#turnedMs, waitingFor: null };
  }

  #report(): HealthReport {
    return {
      phase: this.#phase === 'polling' && !this.#isPolling?.() ? 'connecting' : this.#phase,
      waitingFor: this.#waitingFor,
      loops: [...this.#loops].map((report) => report()),
      servers: Object.fromEntries(this.#checks),
    };
  }
}
