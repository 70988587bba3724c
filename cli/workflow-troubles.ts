// What keeps the workflows of a topic from their work, asked of themselves: paused, failing, not running, nobody answers.
import { pipelineId } from '../pipeline/ids.ts';
import type { Settings } from '../pipeline/settings.ts';
import type { PipelineState, WindowsState } from '../workflows/commands.ts';
import { CliFailure } from './failure.ts';
import { pipelineTarget, windowsTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

const RULES = ['latenessMs', 'idleAfterMs', 'maxFutureMs', 'amendIntervalMs', 'sessionGapMs', 'sessionMaxMs'] as const;
type Rules = Pick<Settings, (typeof RULES)[number]>;

/** `resting`: by partition, why it does not read. `rules`: what the running pipeline was given, as far as it is known. */
export type WorkflowTroubles = {
  readonly sentences: readonly string[];
  readonly resting: ReadonlyMap<number, string>;
  readonly rules: Partial<Rules>;
};

/** Asks the pipeline and its closer. That nobody answers is an answer too. */
export async function askWorkflows(settings: Settings): Promise<WorkflowTroubles> {
  try {
    return await withControl(settings, async (control) => await ask(control, settings.topic));
  } catch (thrown) {
    if (!(thrown instanceof CliFailure)) throw thrown;
    return { sentences: [thrown.message], resting: new Map(), rules: {} };
  }
}

async function ask(control: Control, topic: string): Promise<WorkflowTroubles> {
  const pipeline = await control.state<PipelineState>(pipelineTarget(topic));
  const windows = await control.state<WindowsState>(windowsTarget(topic));
  const resting = pipeline.partitions
    .filter(({ phase }) => phase !== 'ingesting' && phase !== 'starting')
    .map(({ partition, message }) => [partition, message] as const);
  return {
    sentences: [
      ...(pipeline.phase === 'running' ? [] : [`The pipeline is ${pipeline.phase}. ${pipeline.message}`]),
      ...(windows.phase === 'backing-off' || windows.phase === 'stopped'
        ? [`The closing of windows is ${windows.phase}. ${windows.message}`]
        : []),
    ],
    resting: new Map(resting),
    rules: await rulesOfRunning(control, topic),
  };
}

/** What the topic's pipeline was given when it was started last; throws what Temporal throws when there was none. */
export async function rulesOfRunning({ client }: Control, topic: string): Promise<Partial<Rules>> {
  const { memo } = await client.workflow.getHandle(pipelineId(topic)).describe();
  const spec: unknown = memo?.spec;
  if (typeof spec !== 'object' || spec === null) return {};
  const given = new Map(Object.entries(spec));
  return Object.fromEntries(
    RULES.map((name) => [name, given.get(name)]).filter(([, value]) => typeof value === 'number'),
  );
}
