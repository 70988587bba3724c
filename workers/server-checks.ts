// Asks each server every couple of seconds how it is, beside the work, so that a probe finds its answer ready.
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';

import { KafkaPing } from '../kafka/ping.ts';
import type { HealthRecord } from '../observability/health-record.ts';
import type { ServerName } from '../observability/health.ts';
import type { Log } from '../observability/log.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { PostgresPing } from '../postgres/ping.ts';
import { TemporalPing } from './temporal-ping.ts';
import type { WorkerAddresses, WorkerRole } from './worker.ts';

/** `ask` throws one sentence that says what is wrong and what to do; `cut` makes a question under way fail with `why`. */
type Ping = { ask(): Promise<void>; cut(why: string): void };

const EVERY_MS = 2_000;
const ANSWER_WITHIN_MS = 2_000;

const NEEDS: Readonly<Record<WorkerRole, readonly ServerName[]>> = {
  ingest: ['temporal', 'postgres', 'kafka'],
  windows: ['temporal', 'postgres', 'kafka'],
  generator: ['temporal', 'kafka'],
};

/** The servers without which a worker of these roles cannot work. */
export function serversOf(roles: readonly WorkerRole[]): ServerName[] {
  return [...new Set(roles.flatMap((role) => NEEDS[role]))];
}

type Options = {
  readonly addresses: WorkerAddresses;
  readonly namespace: string;
  readonly health: HealthRecord;
  readonly log: Log;
};

/** Checks what the record says that the worker needs, until `signal` aborts; holds nothing up, not even the process. */
export function keepChecking({ addresses, namespace, health, log }: Options, signal: AbortSignal): void {
  const open: Readonly<Record<ServerName, () => Ping>> = {
    temporal: () => new TemporalPing({ address: addresses.temporal.address, namespace }),
    postgres: () => new PostgresPing(addresses.postgres.url),
    kafka: () => new KafkaPing(addresses.kafka.brokers),
  };
  for (const server of health.needs) void checkAgainAndAgain(open[server](), signal, note(server));

  function note(server: ServerName) {
    return (trouble: string | null): void => {
      const news = health.checked(server, trouble);
      if (news === null) return;
      if ('trouble' in news) log.warn({ server }, `Not ready: ${news.trouble}`);
      else log.info({ server, afterMs: Math.round(news.wellAfterMs) }, 'The server answers again');
    };
  }
}

async function checkAgainAndAgain(
  ping: Ping,
  signal: AbortSignal,
  note: (trouble: string | null) => void,
): Promise<void> {
  const end = (): void => ping.cut('the worker ends');
  signal.addEventListener('abort', end, { once: true });
  while (!signal.aborted) {
    const trouble = await troubleOf(ping);
    if (!signal.aborted) note(trouble);
    await wait(EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
  }
  end();
}

async function troubleOf(ping: Ping): Promise<string | null> {
  const over = new AbortController();
  let isLate = false;
  const cutWhenLate = async (): Promise<void> => {
    await wait(ANSWER_WITHIN_MS, undefined, { signal: over.signal, ref: false });
    // When the process itself stood still, the answer lies in the socket already: it is read first.
    for (let turns = 0; turns < 10; turns += 1) await nextTurn();
    isLate = !over.signal.aborted;
    if (isLate) ping.cut(`no answer in ${ANSWER_WITHIN_MS / 1000} s`);
  };
  const watch = cutWhenLate().catch(() => {});
  try {
    // A kept connection that is gone says nothing of its server: the second question goes over a new one.
    await ping.ask().catch(async (error: unknown) => {
      if (isLate) throw error;
      await ping.ask();
    });
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    over.abort();
    await watch;
  }
}
