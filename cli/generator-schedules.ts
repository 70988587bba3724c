// The schedules of generators as Temporal keeps them: what each is for, when it ran last and runs next.
import type { ScheduleDescription, ScheduleOverlapPolicy } from '@temporalio/client';

import type { GeneratorSpec } from '../activities/produce-events.ts';
import { generatorId } from '../pipeline/ids.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { CliFailure } from './failure.ts';
import type { Control } from './temporal-control.ts';

/** What happens when a run is due while the last one goes on: our words for Temporal's. */
export const OVERLAPS = {
  skip: 'SKIP',
  'buffer-one': 'BUFFER_ONE',
  'buffer-all': 'BUFFER_ALL',
  'allow-all': 'ALLOW_ALL',
  'cancel-other': 'CANCEL_OTHER',
  'terminate-other': 'TERMINATE_OTHER',
} as const satisfies Record<string, ScheduleOverlapPolicy>;
export type OverlapName = keyof typeof OVERLAPS;

/** Kept with the schedule and with each of its runs, since Temporal keeps a cron line only in parts. */
export type ScheduleMemo = { readonly spec: GeneratorSpec; readonly when: string; readonly seedFromStart: boolean };

/** `status`: Temporal's word for what became of the run. Times in ISO, to the second. */
type ScheduledRun = { readonly at: string; readonly workflowId: string; readonly status: string };

export type ScheduleReport = {
  readonly name: string;
  readonly when: string;
  readonly spec: GeneratorSpec;
  readonly seed: number | 'new each run';
  readonly overlap: string;
  readonly catchUpMs: number;
  readonly paused: boolean;
  readonly note: string;
  readonly nextRuns: readonly string[];
  /** Newest first. */
  readonly lastRuns: readonly ScheduledRun[];
  readonly runs: number;
  readonly skippedByOverlap: number;
  readonly missed: number;
};

const SHOWN_RUNS = 3;

/** The schedules of generators, by name. */
export async function listSchedules(control: Control): Promise<ScheduleReport[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of control.client.schedule.list()) {
    if (scheduleId.startsWith(generatorId(''))) ids.push(scheduleId);
  }
  // The list may lag behind: one that was removed meanwhile is left out.
  const reports = await Promise.all(
    ids.toSorted().map(async (id) => await describeSchedule(control, id).catch(() => null)),
  );
  return reports.filter((report) => report !== null);
}

/** One schedule. Throws what Temporal throws when it is not there. */
export async function describeSchedule(control: Control, scheduleId: string): Promise<ScheduleReport> {
  const { schedule, workflow } = control.client;
  const described = await schedule.getHandle(scheduleId).describe();
  const { spec, when, seedFromStart } = memoOf(described);
  const last = described.info.recentActions.slice(-SHOWN_RUNS).toReversed();
  const lastRuns = await Promise.all(
    last.map(async ({ takenAt, action: { workflow: run } }) => {
      // A run may have continued as new: its newest part tells.
      const status = await workflow
        .getHandle(run.workflowId)
        .describe()
        .then(({ status: now }) => now.name.toLowerCase())
        .catch(() => 'forgotten');
      return { at: second(takenAt), workflowId: run.workflowId, status };
    }),
  );
  const { policies, state, info } = described;
  return {
    name: scheduleId.slice(generatorId('').length),
    when,
    spec,
    seed: seedFromStart ? 'new each run' : spec.seed,
    overlap: (policies.overlap ?? 'SKIP').toLowerCase().replaceAll('_', '-'),
    catchUpMs: policies.catchupWindow,
    paused: state.paused,
    note: state.note ?? '',
    nextRuns: state.paused ? [] : info.nextActionTimes.map(second),
    lastRuns,
    runs: info.numActionsTaken,
    skippedByOverlap: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
  };
}

function memoOf({ memo, scheduleId }: ScheduleDescription): ScheduleMemo {
  if (!isMemo(memo)) {
    throw new CliFailure(`The schedule ${scheduleId} was not made by weir; look at it in Temporal's Web UI.`);
  }
  return memo;
}

const isMemo = (memo: unknown): memo is ScheduleMemo =>
  typeof memo === 'object' && memo !== null && 'spec' in memo && 'when' in memo && 'seedFromStart' in memo;

const second = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** gRPC: what was asked for is none, a cron line for example. */
const INVALID_ARGUMENT = 3;

/** What Temporal says about a schedule, as a sentence with the next step; other errors pass through. */
export function explainSchedule(thrown: unknown, name: string): unknown {
  if (!(thrown instanceof Error)) return thrown;
  if (thrown.name === 'ScheduleNotFoundError') {
    const sentence = `There is no schedule ${name}; \`weir generator schedule list\` names those there are.`;
    return new CliFailure(sentence, { cause: thrown });
  }
  if (thrown.name === 'ScheduleAlreadyRunning') {
    const remove = `\`weir generator schedule remove ${name}\``;
    return new CliFailure(`There is a schedule ${name} already; ${remove} removes it.`, { cause: thrown });
  }
  const refusal = refusalOf(thrown);
  if (refusal === null) return thrown;
  return new CliFailure(`Temporal does not take this schedule: ${refusal.replace(/\.$/, '')}.`, { cause: thrown });
}

function refusalOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null;
  // What the server refuses, and what the client refuses before it asks, comes as a TypeError that the client itself throws.
  if (thrown instanceof TypeError && /^.*\n\s+at .*@temporalio.client/.test(thrown.stack ?? '')) return thrown.message;
  if ('code' in thrown && thrown.code === INVALID_ARGUMENT) {
    return 'details' in thrown && typeof thrown.details === 'string' ? thrown.details : messageOf(thrown);
  }
  return refusalOf(thrown.cause);
}
