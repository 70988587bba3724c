// What the watch over the probes makes of what workers say: every lie is found, and the truth is no problem.
import { describe, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { ProbeWatch } from './probe-watch.ts';
import type { ProbeAnswer } from './probe-watch.ts';

const OK: ProbeAnswer = { status: 200, text: 'ok' };
const NO: ProbeAnswer = { status: 503, text: 'PostgreSQL is away.' };

/** A worker that says what it is told to. */
class Speaker {
  readonly name = 'worker-1';
  asked = 0;
  says: { healthz: ProbeAnswer | null; readyz: ProbeAnswer | null } = { healthz: OK, readyz: OK };

  probe(name: 'healthz' | 'readyz'): Promise<ProbeAnswer | null> {
    this.asked += 1;
    return Promise.resolve(this.says[name]);
  }

  async heard(): Promise<void> {
    const before = this.asked;
    await eventually(() => this.asked >= before + 4, { deadlineMs: 5_000, what: 'the watch asked twice' });
  }
}

type Probes = Parameters<ProbeWatch['judge']>[0]['fault']['probes'];

/** A fault during which the worker says this, and after which all is well again. */
async function judged(during: Partial<Speaker['says']>, probes?: Probes): Promise<string[]> {
  const speaker = new Speaker();
  const watch = new ProbeWatch([speaker]);
  try {
    await speaker.heard();
    const fromMs = Date.now();
    speaker.says = { ...speaker.says, ...during };
    await speaker.heard();
    const endedAtMs = Date.now();
    speaker.says = { healthz: OK, readyz: OK };
    const fault = { name: 'F', ...(probes ? { probes } : {}) };
    return await watch.judge({ fault, fromMs, endedAtMs, overMs: Date.now() });
  } finally {
    await watch.close();
  }
}

describe.concurrent('the watch over the probes', () => {
  test('finds a worker that says it must be killed', async () => {
    expect(await judged({ healthz: NO })).toEqual([
      'During the fault "F" /healthz of worker-1 would have had it killed: PostgreSQL is away.',
    ]);
  });
  test('finds that no worker noticed that a server was taken away', async () => {
    expect(await judged({}, { ready: 'lost' })).toEqual([
      'During the fault "F" /readyz of no worker said that it was not ready.',
    ]);
  });
  test('takes it well when one did', async () => {
    expect(await judged({ readyz: NO }, { ready: 'lost' })).toEqual([]);
  });
  test('finds that a process which stood still seems to have answered', async () => {
    expect(await judged({}, { alive: 'unanswered' })).toEqual([
      'During the fault "F" /healthz of every worker answered all the time.',
    ]);
    expect(await judged({ healthz: null, readyz: null }, { alive: 'unanswered' })).toEqual([]);
  });
  test('asks nothing of a fault that promises nothing, as long as all are ready afterwards', async () => {
    expect(await judged({ readyz: NO })).toEqual([]);
  });
});
