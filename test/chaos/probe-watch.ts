// Asks the two probes of every worker once a second, through every fault, and holds what they said to what was true.
import { setTimeout as wait } from 'node:timers/promises';

import { eventually } from '../support/eventually.ts';
import type { Fault } from './fault.ts';
import type { StruckWorker } from './struck-worker.ts';

const ASK_EVERY_MS = 1_000;
/** A check may have begun before the fault, and waits a while for its answer. */
const NOTICED_WITHIN_MS = 5_000;
const READY_AGAIN_WITHIN_MS = 60_000;

/** What a probe answered; null: nothing within a second. */
export type ProbeAnswer = { readonly status: number; readonly text: string };
type Sample = {
  readonly worker: string;
  readonly atMs: number;
  readonly healthz: ProbeAnswer | null;
  readonly readyz: ProbeAnswer | null;
};

/** A fault that was injected (epoch ms). `overMs`: when every partition committed again; null: never. */
type Strike = {
  readonly fault: Pick<Fault, 'name' | 'probes'>;
  readonly fromMs: number;
  readonly endedAtMs: number;
  readonly overMs: number | null;
};

type Probed = Pick<StruckWorker, 'name' | 'probe'>;

export class ProbeWatch {
  readonly #workers: readonly Probed[];
  readonly #samples: Sample[] = [];
  readonly #stop = new AbortController();
  readonly #watching: readonly Promise<void>[];

  constructor(workers: readonly Probed[]) {
    this.#workers = workers;
    this.#watching = workers.map(async (worker) => await this.#watch(worker));
  }

  /** What the probes said that was not true during this fault, one sentence each. Waits until all are ready again. */
  async judge({ fault, fromMs, endedAtMs, overMs }: Strike): Promise<string[]> {
    const unready = overMs === null ? [] : await this.#stillNotReady(overMs);
    const samples = this.#samples.filter(({ atMs }) => atMs >= fromMs);
    const during = samples.filter(({ atMs }) => atMs <= Math.max(endedAtMs, fromMs + NOTICED_WITHIN_MS));
    const said = `During the fault "${fault.name}"`;
    return [
      ...samples
        .filter(({ healthz }) => healthz?.status === 503)
        .slice(0, 1)
        .map(({ worker, healthz }) => `${said} /healthz of ${worker} would have had it killed: ${healthz?.text}`),
      ...(fault.probes?.ready === 'lost' && !during.some(({ readyz }) => readyz?.status === 503)
        ? [`${said} /readyz of no worker said that it was not ready.`]
        : []),
      ...(fault.probes?.alive === 'unanswered' && !during.some(({ healthz }) => healthz === null)
        ? [`${said} /healthz of every worker answered all the time.`]
        : []),
      ...unready.map((worker) => `After the fault "${fault.name}" ${worker} did not become ready again.`),
    ];
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#watching);
  }

  /** Names and last words of the workers that were not ready after this moment. */
  async #stillNotReady(afterMs: number): Promise<string[]> {
    const notReady = (): Probed[] =>
      this.#workers.filter(
        ({ name }) => !this.#samples.some((of) => of.worker === name && of.atMs > afterMs && of.readyz?.status === 200),
      );
    const all = { deadlineMs: READY_AGAIN_WITHIN_MS, what: 'every worker is ready' };
    await eventually(() => notReady().length === 0, all).catch(() => null);
    return notReady().map(({ name }) => {
      const last = this.#samples.findLast(({ worker }) => worker === name)?.readyz;
      return `${name} (${last?.text ?? 'no answer'})`;
    });
  }

  async #watch(worker: Probed): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const atMs = Date.now();
      const [healthz, readyz] = await Promise.all([worker.probe('healthz'), worker.probe('readyz')]);
      this.#samples.push({ worker: worker.name, atMs, healthz, readyz });
      const leftMs = Math.max(0, atMs + ASK_EVERY_MS - Date.now());
      await wait(leftMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }
}
