// The costs that no bench measures alone, fitted to two measured points; and the model held to the others.
import { must } from '../../pipeline/ensure.ts';
import { simulate } from '../simulate.ts';
import type { Simulated } from '../simulate.ts';
import { costsOf } from './measured-costs.ts';
import type { CatchUpResult, Closing, LiveResult, Measured } from './measured-costs.ts';
import type { Costs, Plan } from './plan.ts';

/** One figure as the model gives it and as a bench measured it; `isFitted`: the model was made to give it. */
export type Comparison = {
  readonly what: string;
  readonly unit: string;
  readonly modelled: number;
  readonly measured: number;
  readonly isFitted: boolean;
};

const FITTED_RATE = 5_000;
const ROUNDS = 4;
/** Of a transaction of one batch, what may be its checkpoint's. */
const SHARES = Array.from({ length: 11 }, (_, nth) => nth / 10);
/** When the live bench was measured: activities/commit-chain.ts. */
const LEAST_TURN_MS = 5;

type FittedCosts = Pick<Costs, 'workerPerTurn' | 'postgresPerCheckpoint' | 'postgresPerTransaction'>;

/** What was measured, and what is fitted to it. */
export function fittedCosts(measured: Measured, closing: Closing): Costs {
  return { ...costsOf(measured, closing), ...fittedParts(measured) };
}

/**
 * What a turn, a transaction and a checkpoint cost, whatever they hold, from the live bench at 5,000 events a second. A turn, and
 * a transaction of one batch, are what the model needs for the CPU time of the build whose batches each had their own. How
 * much of the latter is the checkpoint's shows in the CPU time of the build that shares. Whatever workers and PostgreSQL do
 * beside (heartbeats, autovacuum) is in it.
 */
function fittedParts(measured: Measured): FittedCosts {
  const { workerPerTurn, postgresPerTransaction } = fittedAlone(measured);
  const live = fittedPoint(measured.live);
  const costs = { ...costsOf(measured, 'plain'), workerPerTurn };
  const tried = SHARES.map((share) => {
    const parts = {
      workerPerTurn,
      postgresPerCheckpoint: share * postgresPerTransaction,
      postgresPerTransaction: (1 - share) * postgresPerTransaction,
    };
    const modelled = postgresOf(simulate(planOfLive(live, true), { ...costs, ...parts }));
    return { parts, off: Math.abs(modelled - live.cpuMicrosecondsPerEvent.postgres) };
  });
  return must(tried.toSorted((one, other) => one.off - other.off)[0], 'one of the shares').parts;
}

function fittedAlone(measured: Measured): Pick<FittedCosts, 'workerPerTurn' | 'postgresPerTransaction'> {
  const live = fittedPoint(measured.liveAlone);
  const wanted = live.cpuMicrosecondsPerEvent;
  const costs = costsOf(measured, 'plain');
  let [workerPerTurn, postgresPerTransaction] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = simulate(planOfLive(live, false), { ...costs, workerPerTurn, postgresPerTransaction });
    workerPerTurn += (wanted.worker - workerOf(found)) * found.eventsPerBatch;
    postgresPerTransaction += (wanted.postgres - postgresOf(found)) * found.eventsPerBatch;
  }
  return { workerPerTurn, postgresPerTransaction };
}

/** The model and the benches, side by side: CPU time and latency at each live rate, and the three catch-ups. */
export function compare(measured: Measured): Comparison[] {
  const { live, liveAlone, eventsOnly, plain, shop } = measured;
  const fitted = fittedParts(measured);
  const costs = { ...costsOf(measured, 'plain'), ...fitted };
  return [
    ...live.flatMap((result) => compareLive(result, true, costs)),
    ...liveAlone.flatMap((result) => compareLive(result, false, costs)),
    ...compareCatchUp('catch-up, events only', eventsOnly, {
      ...costs,
      workerPerEvent: eventsOnly.cpuMicrosecondsPerEvent.worker,
      brokerPerEvent: eventsOnly.cpuMicrosecondsPerEvent.broker,
    }),
    ...compareCatchUp('catch-up, plain', plain, costs),
    ...compareCatchUp('catch-up, shop', shop, { ...costsOf(measured, 'shop'), ...fitted }),
  ];
}

function compareLive(result: LiveResult, sharesCommits: boolean, costs: Costs): Comparison[] {
  const found = simulate(planOfLive(result, sharesCommits), costs);
  const isFitted = result.rate === FITTED_RATE;
  const { worker, postgres } = result.cpuMicrosecondsPerEvent;
  // The bench's reader looks so often: a commit is seen half of that later.
  const seenAfterMs = result.latencyMs.resolution / 2;
  const rows = [
    ['worker', 'us/event', workerOf(found), worker],
    ['PostgreSQL', 'us/event', postgresOf(found), postgres],
    ['lag p50', 'ms', found.lagMs.p50 + seenAfterMs, result.latencyMs.p50],
    ['lag p99', 'ms', found.lagMs.p99 + seenAfterMs, result.latencyMs.p99],
  ] as const;
  return rows.map(([what, unit, modelled, actual]) => ({
    what: `live ${result.rate}/s${sharesCommits ? '' : ' alone'}, ${what}`,
    unit,
    modelled,
    measured: actual,
    isFitted: isFitted && unit === 'us/event' && (what === 'PostgreSQL' || !sharesCommits),
  }));
}

function compareCatchUp(what: string, result: CatchUpResult, costs: Costs): Comparison[] {
  const { events, eventsPerSecond } = result;
  const closes = eventsPerSecond.closed !== null;
  const { history } = simulate({ ...planOfCatchUp(result), closes }, costs);
  const of = (reached: string, seconds: number, measured: number): Comparison => ({
    what: `${what}, ${reached}`,
    unit: 'events/s',
    modelled: events / seconds,
    measured,
    isFitted: false,
  });
  const ingested = of('ingested', history.ingested, eventsPerSecond.ingested);
  return eventsPerSecond.closed === null
    ? [ingested]
    : [ingested, of('closed', history.closed, eventsPerSecond.closed)];
}

const workerOf = ({ microsecondsPerEvent }: Simulated): number => microsecondsPerEvent['worker'] ?? 0;
const postgresOf = ({ microsecondsPerEvent }: Simulated): number =>
  (microsecondsPerEvent['commits'] ?? 0) + (microsecondsPerEvent['closes'] ?? 0);

function fittedPoint(results: readonly LiveResult[]): LiveResult {
  return must(
    results.find(({ rate }) => rate === FITTED_RATE),
    'the live bench that the model is fitted to',
  );
}

/** One worker process, one PostgreSQL, one broker on the machine of the bench. */
function onOneMachine({ partitions, machine }: { partitions: number; machine: { cores: number } }): Plan {
  return {
    rate: 0,
    partitions,
    topics: 1,
    workers: 1,
    shards: 1,
    shardCores: machine.cores,
    sharedCores: machine.cores,
    background: {},
    skew: 0,
    seed: 1,
    warmUpSeconds: 0,
    seconds: 0,
    latenessSeconds: 20,
    leastTurnMs: LEAST_TURN_MS,
    sharesCommits: true,
    history: null,
    closes: true,
    outage: null,
    workerDiesAt: null,
  };
}

function planOfLive(result: LiveResult, sharesCommits: boolean): Plan {
  const { rate, seconds, cpuMicrosecondsPerEvent: cpu } = result;
  const cores = (microseconds: number): number => (microseconds * rate) / 1e6;
  return {
    ...onOneMachine(result),
    rate,
    sharesCommits,
    warmUpSeconds: 10,
    seconds,
    // Measured, not modelled: what the generator and the broker took beside.
    background: { generator: cores(cpu.generator), brokerAtWork: cores(cpu.broker) },
  };
}

function planOfCatchUp(result: CatchUpResult): Plan {
  const { eventRate, events } = result;
  return { ...onOneMachine(result), rate: eventRate, history: events };
}
