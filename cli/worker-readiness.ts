// Whether the workers that this home started are ready, asked of themselves.
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

import { isKept, liveProcess, metricsAddress, recordedWorkers } from './process-record.ts';

/** `reasons`: why it is not ready, one sentence each. `starting`: it was started a moment ago and takes no work yet. */
export type WorkerReadiness = {
  readonly name: string;
  readonly ready: boolean;
  readonly starting: boolean;
  readonly reasons: readonly string[];
};

const ASK_WITHIN_MS = 1_000;
const Said = Type.Object({ phase: Type.String(), reasons: Type.Optional(Type.Array(Type.String())) });
/** Phases of a worker that is on its way. */
const STARTING = new Set(['starting', 'connecting']);

/** Asks every worker of the home, and names those that have ended unasked; others, on other machines, are not known here. */
export async function workersReadiness(home: string): Promise<WorkerReadiness[]> {
  return await Promise.all(
    recordedWorkers(home)
      .toSorted()
      .map(async (name) =>
        liveProcess(home, name) === null ? ended(home, name) : await readinessOf(name, metricsAddress(home, name)),
      ),
  );
}

function ended(home: string, name: string): WorkerReadiness {
  const next = isKept(home) ? 'it is started again in a moment.' : 'nobody starts it again: `weir up --detach` does.';
  return { name, ready: false, starting: false, reasons: [`It has ended by itself, and ${next}`] };
}

async function readinessOf(name: string, address: string | null): Promise<WorkerReadiness> {
  if (address === null)
    return { name, ready: false, starting: true, reasons: ['The worker is starting: wait a few seconds.'] };
  try {
    const response = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    const said: unknown = await response.json();
    const { phase = '', reasons = [] } = Value.Check(Said, said) ? said : {};
    return { name, ready: response.ok, starting: !response.ok && STARTING.has(phase), reasons };
  } catch {
    return {
      name,
      ready: false,
      starting: false,
      reasons: [
        `It does not answer at ${address}/readyz within ${ASK_WITHIN_MS / 1000} s: it starts, is overloaded or hangs; its log says which.`,
      ],
    };
  }
}
