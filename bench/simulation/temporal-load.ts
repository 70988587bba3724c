// What pipelines ask of Temporal: what one lease, one close and one look cost, times how often they come. The figures were read
// off histories of a running pipeline and the server's metrics (docs/scaling.md). The number of events is in none of them.
import { SETTINGS } from './plan.ts';

/** `history`: events of workflow histories; `actions`: what Temporal Cloud bills; `writes`: updates of a workflow's state. */
export type TemporalLoad = { readonly history: number; readonly actions: number; readonly writes: number };

/** A workflow task and an activity, three events each; written when it is scheduled, started, completed, and looked at. */
const LEASE: TemporalLoad = { history: 6, actions: 1, writes: 4 };
/** In no history. Beside its own write, the timer of the heartbeat timeout is set anew every ten seconds. */
const HEARTBEAT: TemporalLoad = { history: 0, actions: 1, writes: 1.1 };
/** A minute that closes: news of the watermark, then a child with two activities, in its own history and in its parent's. */
const CLOSE: TemporalLoad = { history: 32, actions: 5, writes: 20 };
/** Late events taken in: news, and an activity. */
const AMENDMENT: TemporalLoad = { history: 12, actions: 2, writes: 8 };
/** A look for partitions: an activity and a timer. */
const LOOK: TemporalLoad = { history: 14, actions: 2, writes: 8 };
/** From a pipeline's second run on, each look tries to start each child, which is running. */
const FOUND_CHILD: TemporalLoad = { history: 2, actions: 2, writes: 1 };

/** Beside the partitions, a topic has leases that watch the watermark, publish offsets and publish letters. */
const LEASES_OF_TOPIC = 3;
const MOST_AMENDMENTS_A_MINUTE = 6;
const HOUR_MS = 3_600_000;

/** Per hour, with nothing failing. `amends`: late events come all the time, so that each interval amends. */
export function temporalLoad({
  partitions,
  topics,
  amends,
}: {
  partitions: number;
  topics: number;
  amends: boolean;
}): TemporalLoad {
  const leases = partitions + LEASES_OF_TOPIC * topics;
  const minutes = 60 * topics;
  return added([
    [LEASE, (leases * HOUR_MS) / SETTINGS.leaseMs],
    [HEARTBEAT, (leases * HOUR_MS) / SETTINGS.heartbeatEveryMs],
    [CLOSE, minutes],
    [AMENDMENT, amends ? minutes * MOST_AMENDMENTS_A_MINUTE : 0],
    [LOOK, minutes],
    [FOUND_CHILD, 60 * (partitions + LEASES_OF_TOPIC * topics)],
  ]);
}

function added(parts: readonly (readonly [TemporalLoad, number])[]): TemporalLoad {
  const sum = (of: (load: TemporalLoad) => number): number =>
    parts.reduce((total, [load, times]) => total + of(load) * times, 0);
  return {
    history: sum(({ history }) => history),
    actions: sum(({ actions }) => actions),
    writes: sum(({ writes }) => writes),
  };
}
