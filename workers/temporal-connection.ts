// A worker's way to Temporal: waits for it as long as it takes, and says what it is waiting for.
import { setTimeout as wait } from 'node:timers/promises';

import { NativeConnection } from '@temporalio/worker';

import { clientSecurity, securityHint } from '../local/temporal-security.ts';
import type { HealthRecord } from '../observability/health-record.ts';
import type { Log } from '../observability/log.ts';
import { backoffWaitMs } from '../pipeline/backoff.ts';
import { messageOf } from '../pipeline/ensure.ts';

export type TemporalAddress = { readonly address: string; readonly namespace: string };

/** Who is told what the worker waits for, and what ends the wait. */
type Circumstances = { readonly log: Log; readonly signal: AbortSignal; readonly health: HealthRecord };

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A server that takes the connection and says nothing (its machine stands still) is no server. */
const ANSWER_WITHIN_MS = 10_000;

/** Waits for growing times between tries, up to ten seconds; ends early, without an error, when `signal` aborts. */
export class PatientTries {
  #tries = 0;
  #sinceMs: number | null = null;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #health: HealthRecord;

  constructor({ log, signal, health }: Circumstances) {
    this.#log = log;
    this.#signal = signal;
    this.#health = health;
  }

  /** Says why the last try failed, and waits. */
  async afterFailure(sentence: string): Promise<void> {
    this.#health.connects(sentence);
    this.#tries += 1;
    this.#sinceMs ??= performance.now();
    const waitMs = backoffWaitMs({
      failures: this.#tries,
      firstMs: FIRST_WAIT_MS,
      longestMs: LONGEST_WAIT_MS,
      chance: Math.random(),
    });
    const waitedMs = Math.round(performance.now() - this.#sinceMs);
    const soFar = this.#tries === 1 ? '' : ` It has been so for ${Math.round(waitedMs / 1_000)} s.`;
    this.#log.warn(
      { tries: this.#tries, waitedMs, waitMs },
      `${sentence}${soFar} Trying again in ${(waitMs / 1_000).toFixed(1)} s.`,
    );
    await wait(waitMs, undefined, { signal: this.#signal }).catch(() => {});
  }

  reset(): void {
    this.#tries = 0;
    this.#sinceMs = null;
  }
}

/** A connection to a Temporal that answers and has the namespace; null when `signal` aborted before there was one. */
export async function connectPatiently(
  { address, namespace }: TemporalAddress,
  circumstances: Circumstances,
): Promise<NativeConnection | null> {
  const { signal, health } = circumstances;
  const tries = new PatientTries(circumstances);
  while (!signal.aborted) {
    health.connects();
    let connection: NativeConnection | null = null;
    try {
      connection = await connectInTime(address);
      const { workflowService } = connection;
      await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
        workflowService.describeNamespace({ namespace }),
      );
      return connection;
    } catch (error) {
      await connection?.close().catch(() => {});
      await tries.afterFailure(
        connection === null
          ? `Temporal at ${address} does not answer (${messageOf(error)}): start it with "weir up", or correct WEIR_TEMPORAL_ADDRESS${securityHint()}.`
          : `Temporal at ${address} does not serve namespace "${namespace}" (${messageOf(error)}): create it, or correct WEIR_TEMPORAL_NAMESPACE.`,
      );
    }
  }
  return null;
}

/** Temporal's own connecting knows no end: one that comes too late is closed again. */
async function connectInTime(address: string): Promise<NativeConnection> {
  const connecting = NativeConnection.connect({ address, ...clientSecurity() });
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      connecting.then(async (late) => await late.close()).catch(() => {});
      reject(new Error(`no answer in ${ANSWER_WITHIN_MS / 1_000} s`));
    }, ANSWER_WITHIN_MS);
  });
  try {
    return await Promise.race([connecting, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
