// Starting a topic's pipeline where none runs, and finding out whether the one that runs was given the same settings.
import { pipelineId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import { pipelineTarget } from './targets.ts';
import { ensureWorkflow, runningMemo } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';

export type StartOutcome = {
  readonly outcome: 'started' | 'running';
  /** What the running pipeline was given otherwise than asked now, such as "lateness 5m"; empty when nothing. */
  readonly differences: readonly string[];
  /** Why its workflows cannot be searched for, in one sentence; null when they can, or run already. */
  readonly note: string | null;
};

const PIPELINE_DETAILS =
  'Keeps one `ingestPartition` for each partition, one `closeWindows`, one `commitOffsets` and one `publishLetters` alive, and does no work itself. Its current details list the partitions; `weir pipeline pause`, `resume` and `stop` speak to it.';

/** Starts `runPipeline`, or leaves the running one as it is. */
export async function startPipeline(control: Control, spec: PipelineSpec): Promise<StartOutcome> {
  const id = pipelineId(spec.topic);
  const note = await ensureSearchAttributes(control.client);
  const { started } = await ensureWorkflow(control, {
    type: 'runPipeline',
    id,
    queue: 'windows',
    input: { spec },
    // The Web UI shows the memo, and the next start compares with it.
    memo: { spec },
    summary: `pipeline of ${spec.topic} into schema ${spec.schema}`,
    details: PIPELINE_DETAILS,
    topic: spec.topic,
  });
  if (started) return { outcome: 'started', differences: [], note };
  const memo = await runningMemo(control.client, id);
  return { outcome: 'running', differences: differencesFrom(memo?.['spec'], spec), note: null };
}

/** Like `startPipeline`, but a pipeline that runs with other settings is stopped and started anew. Needs a worker. */
export async function startPipelineAnew(control: Control, spec: PipelineSpec): Promise<StartOutcome> {
  const first = await startPipeline(control, spec);
  if (first.differences.length === 0) return first;
  await control.update(pipelineTarget(spec.topic), 'stop', { withinMs: 60_000 });
  await control.client.workflow.getHandle(pipelineId(spec.topic)).result();
  return { ...(await startPipeline(control, spec)), differences: first.differences };
}

function differencesFrom(running: unknown, wanted: PipelineSpec): string[] {
  if (typeof running !== 'object' || running === null) return [];
  const given = new Map(Object.entries(running));
  return Object.entries(wanted)
    .filter(([name, value]) => given.has(name) && given.get(name) !== value)
    .map(([name]) => {
      const value: unknown = given.get(name);
      return `${nameOf(name)} ${typeof value === 'number' ? formatDuration(value) : typeof value === 'string' ? value : 'none'}`;
    });
}

/** latenessMs -> lateness, idleAfterMs -> idle after */
const nameOf = (name: string): string =>
  name.replace(/Ms$/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
