// The generators that run, whoever started them: found by name, and what each does at this moment.
import { defaultPayloadConverter } from '@temporalio/common';

import type { GeneratorSpec, ProduceHeartbeat } from '../activities/produce-events.ts';
import { generatorId } from '../pipeline/ids.ts';
import type { GeneratorState } from '../workflows/generator-state.ts';
import { CliFailure } from './failure.ts';
import { generatorTarget } from './targets.ts';
import type { Control, Target } from './temporal-control.ts';

/**
 * `target`, `actual`: messages a second that the schedule asks for and that Kafka acknowledged; `behindMs`: how late the next
 * one is; `errors`: by kind, of the present lease. null where nobody sends just now; `acknowledged` where nobody can tell.
 */
export type GeneratorReport = {
  readonly id: string;
  readonly name: string;
  readonly topic: string;
  readonly phase: string;
  readonly profile: string;
  readonly seed: number | null;
  readonly rate: number;
  readonly target: number;
  readonly actual: number;
  readonly behindMs: number | null;
  readonly bytesPerSecond: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly trouble: string | null;
  readonly acknowledged: number | null;
  readonly count: number | null;
  readonly startedAt: string;
  readonly until: string | null;
  readonly message: string;
};

/** Who does not answer by then is shown as its last heartbeat tells. */
const ANSWER_WITHIN_MS = 800;
const RUNNING = "WorkflowType = 'generateEvents' AND ExecutionStatus = 'Running'";

/** Workflow ids of the generators that run now, of every topic. */
export async function runningGenerators({ client }: Control, query = RUNNING): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
  return ids.toSorted();
}

/**
 * The generator that a name means: the one started under it, or else the one run of its schedule. Throws CliFailure when several
 * runs of a schedule go on; each has a longer name then.
 */
export async function generatorNamed(control: Control, name: string): Promise<Target> {
  const exact = generatorTarget(name);
  if (!/^[\w.-]+$/.test(name) || (await control.isRunning(exact.id))) return exact;
  const ids = await runningGenerators(control, `${RUNNING} AND WorkflowId STARTS_WITH '${exact.id}-'`);
  const runs = ids.filter((id) => isRunOf(id, exact.id));
  const names = runs.map((id) => id.slice(generatorId('').length));
  if (runs.length > 1) {
    throw new CliFailure(`${runs.length} runs of ${name} go on; say which with --name: ${names.join(', ')}.`);
  }
  const [only] = names;
  if (only !== undefined) return generatorTarget(only);
  const others = (await runningGenerators(control)).map((id) => id.slice(generatorId('').length));
  if (others.length === 0) return exact;
  const some = others.slice(0, SOME).join(', ') + (others.length > SOME ? ', ...' : '');
  return { ...exact, startHint: `say with --name which is meant: ${some}` };
}

/** Names that a sentence has room for. */
const SOME = 5;

/** Temporal appends the time of a run to the id that its schedule gives. */
function isRunOf(workflowId: string, id: string): boolean {
  return workflowId.startsWith(`${id}-`) && /^-\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(workflowId.slice(id.length));
}

/** What a generator does, or when `orDid` is set, what one that has ended did; null when there is none. */
export async function generatorReport(
  control: Control,
  id: string,
  { orDid = false, withinMs = ANSWER_WITHIN_MS }: { orDid?: boolean; withinMs?: number } = {},
): Promise<GeneratorReport | null> {
  const handle = control.client.workflow.getHandle(id);
  const answer = control.client.withDeadline(
    Date.now() + withinMs,
    async () => await handle.query<GeneratorState>('state'),
  );
  const [described, state] = await Promise.all([handle.describe().catch(() => null), answer.catch(() => null)]);
  const ended = described !== null && described.status.name !== 'RUNNING';
  if (described === null || (ended && !orDid)) return null;
  const memo: { spec?: GeneratorSpec } = described.memo ?? {};
  const live = heartbeatOf(described.raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]);
  const startMs = state?.startedMs ?? described.startTime.getTime();
  return {
    id,
    name: id.slice(generatorId('').length),
    topic: state?.topic ?? memo.spec?.topic ?? '-',
    phase: state?.phase ?? phaseOf(described.status.name, live !== null),
    profile: state?.profile ?? memo.spec?.profile ?? 'steady',
    seed: state?.seed ?? memo.spec?.seed ?? null,
    rate: state?.rate ?? live?.rate ?? memo.spec?.rate ?? 0,
    target: live?.targetRate ?? live?.rate ?? 0,
    actual: live?.actualRate ?? 0,
    behindMs: live?.behindMs ?? null,
    bytesPerSecond: live?.bytesPerSecond ?? 0,
    errors: live?.errors ?? {},
    trouble: live?.trouble ?? state?.failures.message ?? null,
    acknowledged: state === null && live === null ? null : Math.max(state?.nextIndex ?? 0, live?.nextIndex ?? 0),
    count: state?.count ?? memo.spec?.count ?? null,
    startedAt: new Date(startMs).toISOString(),
    until: typeof state?.untilMs === 'number' ? new Date(state.untilMs).toISOString() : null,
    message: state?.message ?? (ended ? ENDED : live ? BUSY : SILENT),
  };
}

/** The phase of a generator that nobody works on. */
export const NO_WORKER = 'no worker answers';

function phaseOf(status: string, works: boolean): string {
  if (status !== 'RUNNING') return status.toLowerCase();
  return works ? 'running' : NO_WORKER;
}

const ENDED = 'It has ended; only a worker could tell more.';

const BUSY = 'Its worker is too busy to say more.';
export const SILENT = 'No worker answers for it; start one with `weir worker` or `weir up`.';

type Payload = Parameters<typeof defaultPayloadConverter.fromPayload>[0];

function heartbeatOf(payload: Payload | null | undefined): ProduceHeartbeat | null {
  return payload ? defaultPayloadConverter.fromPayload<ProduceHeartbeat>(payload) : null;
}
