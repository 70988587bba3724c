// Everything `weir up` starts, in order: servers, tables, topic, workers, pipeline, generator.
import { startPrometheus } from '../local/prometheus-server.ts';
import { startStack } from '../local/stack.ts';
import type { StackProcess } from '../local/home-folder.ts';
import type { StackAddresses } from '../local/stack.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { pipelineSpec } from '../pipeline/settings.ts';
import type { Settings } from '../pipeline/settings.ts';
import { migrate } from '../postgres/migrate.ts';
import { refuseRestored } from '../postgres/restored-schema.ts';
import type { PipelineState } from '../workflows/commands.ts';
import { pauseDemo, startDemo } from './demo.ts';
import type { DemoWish } from './demo.ts';
import { CliFailure } from './failure.ts';
import { plural } from './output.ts';
import { provideTopics } from './provide-topics.ts';
import { startPipelineAnew } from './start-pipeline.ts';
import { pipelineTarget } from './targets.ts';
import { openControl } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';
import { WorkerCrew, lastWords, relieveKeeper } from './worker-crew.ts';
import { workerName } from './process-record.ts';
import { withPool } from './with-servers.ts';

export type Plan = {
  readonly settings: Settings;
  /** null: no generator; one of an earlier run is paused. */
  readonly demo: DemoWish | null;
  readonly createTopic: boolean;
  /** Whether a Prometheus is wanted that looks at the workers. */
  readonly prometheus: boolean;
  /** Servers that ran before: they are not ours to stop. */
  readonly keep: readonly StackProcess[];
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
};

/** What runs now. `settings` name all three addresses. */
export type Running = {
  readonly settings: Settings;
  readonly addresses: StackAddresses;
  readonly crew: WorkerCrew;
  readonly control: Control;
  readonly pipelineWas: 'started' | 'running';
};

/** A worker bundles its workflows first: seconds on a quiet machine. */
const FIRST_ANSWER_WITHIN_MS = 120_000;

/** Starts servers, tables and topic. What is there already stays as it is. */
export async function prepareGround(plan: Plan): Promise<{ settings: Settings; addresses: StackAddresses }> {
  const { settings, report, signal } = plan;
  const addresses = await startStack({ ...settings, report, signal });
  await withPool({ ...settings, postgresUrl: addresses.postgres.url }, (pool) => refuseRestored(pool, settings.schema));
  const { applied, version } = await migrate({ url: addresses.postgres.url, schema: settings.schema });
  if (applied.length > 0) report(`Tables of schema ${settings.schema} are at version ${version}`);
  await provideTopics(plan, addresses);
  if (plan.prometheus) report(`Prometheus is up at ${await startPrometheus({ home: settings.home, signal })}`);
  signal.throwIfAborted();
  return {
    addresses,
    settings: {
      ...settings,
      kafkaBrokers: addresses.kafka.brokers,
      postgresUrl: addresses.postgres.url,
      temporalAddress: addresses.temporal.address,
    },
  };
}

/** Starts workers, pipeline and generator on the ground that `prepareGround` made. */
export async function setToWork(
  plan: Plan,
  ground: { settings: Settings; addresses: StackAddresses },
): Promise<Running> {
  const { report, signal } = plan;
  const { settings, addresses } = ground;
  const crew = new WorkerCrew({ settings, addresses, report });
  // From here on this process looks after the workers.
  await relieveKeeper(settings.home);
  crew.start();
  crew.keepAlive();
  try {
    const control = await openControl({ address: addresses.temporal.address, namespace: settings.temporalNamespace });
    report(`${plural(settings.workers, 'worker')} started`);
    const spec = pipelineSpec(settings);
    const { outcome, differences, note } = await abortable(signal, startPipelineAnew(control, spec));
    if (note !== null) report(note);
    if (differences.length > 0)
      report(`The pipeline ran with ${differences.join(', ')}; it is started anew with the settings of now`);
    await abortable(signal, firstAnswer(control, settings));
    report(
      `The pipeline of topic ${settings.topic} ${outcome === 'started' ? 'is started' : 'goes on'} (lateness ${formatDuration(settings.latenessMs)})`,
    );
    if (plan.demo !== null) report(await abortable(signal, startDemo(control, settings.topic, plan.demo)));
    else if (await pauseDemo(control, settings.topic)) report('The demo generator of an earlier run is paused');
    return { settings, addresses, crew, control, pipelineWas: outcome };
  } catch (thrown) {
    crew.leave();
    throw thrown;
  }
}

async function firstAnswer(control: Control, { topic, home }: Settings): Promise<void> {
  const deadline = performance.now() + FIRST_ANSWER_WITHIN_MS;
  for (;;) {
    try {
      await control.state<PipelineState>(pipelineTarget(topic));
      return;
    } catch (cause) {
      if (performance.now() < deadline) continue;
      throw new CliFailure(
        `No worker answers after ${FIRST_ANSWER_WITHIN_MS / 1000} s. ${lastWords(home, workerName(1))}`,
        { cause },
      );
    }
  }
}

/** `work`, or the reason of the signal as soon as it comes: some waits of the client cannot be ended otherwise. */
async function abortable<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('The start was interrupted.')), { once: true });
    work.then(resolve, reject);
  });
}
