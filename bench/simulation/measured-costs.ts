// What the parts cost, read from what benches printed (bench/results, and alone/ beside this file); nothing of it is written down here.
import { readFileSync } from 'node:fs';

import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

import type { Costs } from './plan.ts';

const circumstances = { date: Type.String(), machine: Type.Object({ cpu: Type.String(), cores: Type.Number() }) };
const cpuOf = Type.Object({ worker: Type.Number(), broker: Type.Number(), postgres: Type.Number() });

const CatchUp = Type.Object({
  ...circumstances,
  events: Type.Number(),
  eventRate: Type.Number(),
  partitions: Type.Number(),
  eventsPerSecond: Type.Object({ ingested: Type.Number(), closed: Type.Union([Type.Number(), Type.Null()]) }),
  cpuMicrosecondsPerEvent: cpuOf,
});

const Live = Type.Object({
  ...circumstances,
  rate: Type.Number(),
  partitions: Type.Number(),
  seconds: Type.Number(),
  cpuMicrosecondsPerEvent: Type.Intersect([cpuOf, Type.Object({ generator: Type.Number() })]),
  latencyMs: Type.Object({ p50: Type.Number(), p99: Type.Number(), resolution: Type.Number() }),
});

const Close = Type.Object({
  ...circumstances,
  eventsPerPane: Type.Number(),
  costs: Type.Array(
    Type.Object({
      openSessions: Type.Number(),
      withoutSessionsMs: Type.Number(),
      moreForSessionsMs: Type.Number(),
      behindMs: Type.Number(),
    }),
    { minItems: 1 },
  ),
});

export type CatchUpResult = Static<typeof CatchUp>;
export type LiveResult = Static<typeof Live>;

/** The results of the benches that a simulation rests on and is held to. */
export type Measured = {
  readonly eventsOnly: CatchUpResult;
  readonly plain: CatchUpResult;
  readonly shop: CatchUpResult;
  readonly live: readonly LiveResult[];
  /** The same, by the build before small batches shared transactions: what a transaction costs is in the difference. */
  readonly liveAlone: readonly LiveResult[];
  readonly close: Static<typeof Close>;
};

const BENCH = new URL('../', import.meta.url);
const LIVE_RATES = [2_000, 5_000, 10_000];

/** Reads what the benches printed. Throws one sentence when a file is missing or not what its bench prints. */
export function readMeasured(): Measured {
  return {
    eventsOnly: parsed(CatchUp, 'results/catchup-plain-events-only'),
    plain: parsed(CatchUp, 'results/catchup-plain'),
    shop: parsed(CatchUp, 'results/catchup-shop'),
    live: LIVE_RATES.map((rate) => parsed(Live, `results/live-${rate}`)),
    liveAlone: LIVE_RATES.map((rate) => parsed(Live, `simulation/alone/live-${rate}`)),
    close: parsed(Close, 'results/close'),
  };
}

function parsed<S extends typeof CatchUp | typeof Live | typeof Close>(schema: S, name: string): Static<S> {
  const file = new URL(`${name}.json`, BENCH);
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (Value.Check(schema, value)) return value;
  const first = Value.Errors(schema, value).First();
  throw new Error(
    `bench/${name}.json has no ${first?.path.slice(1).replaceAll('/', '.')} as its bench prints it: run that bench again.`,
  );
}

/** Which close is taken: that of the catch-up of either kind of data, or of the bench of closes, which has most sessions open. */
export type Closing = 'plain' | 'shop' | 'visits';

/**
 * Everything but what a turn, a transaction and a checkpoint cost, whatever they hold; those are fitted (calibrate.ts). A close is what PostgreSQL
 * did more per event when windows were closed, or the median time of a pane where many sessions are open.
 */
export function costsOf(measured: Measured, closing: Closing): Costs {
  const { eventsOnly, plain, shop } = measured;
  const ofCatchUp = closing === 'shop' ? shop : plain;
  const alone = eventsOnly.cpuMicrosecondsPerEvent;
  return {
    workerPerEvent: ofCatchUp.cpuMicrosecondsPerEvent.worker,
    workerPerTurn: 0,
    postgresPerEvent: alone.postgres,
    postgresPerCheckpoint: 0,
    postgresPerTransaction: 0,
    brokerPerEvent: ofCatchUp.cpuMicrosecondsPerEvent.broker,
    closePerEvent:
      closing === 'visits' ? closeOfVisits(measured) : ofCatchUp.cpuMicrosecondsPerEvent.postgres - alone.postgres,
  };
}

function closeOfVisits({ close: { eventsPerPane, costs } }: Measured): number {
  const dearest = Math.max(
    ...costs.map(
      ({ withoutSessionsMs, moreForSessionsMs, behindMs }) => withoutSessionsMs + moreForSessionsMs + behindMs,
    ),
  );
  return (dearest * 1000) / eventsPerPane;
}
