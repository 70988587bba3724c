// Verdicts on what a pipeline stands on: servers, workers, its own workflow, generators.
import type { GeneratorFacts, HealthFacts, ServerTrouble, WorkflowFacts } from './health-facts.ts';
import { healthy, suspect, unhealthy, unknown, worst } from './stage-verdict.ts';
import type { Finding } from './stage-verdict.ts';

/** What a server answers, or that nothing listens there, is no matter of patience; silence is. */
export function judgeServer(title: string, trouble: ServerTrouble | null): Finding {
  if (trouble === null) return healthy(`${title} answers.`);
  return trouble.silent ? suspect(trouble.sentence) : unhealthy(trouble.sentence);
}

/** Somebody must take work: a workflow that answers or a lease that is held proves it, on whatever machine. */
export function judgeWorkers({ workflows, localWorkers }: HealthFacts): Finding {
  const unready = localWorkers.filter(({ ready, starting }) => !ready && !starting);
  const broken = unready.map(({ name, reasons }) => suspect(`${name} is not ready: ${reasons.join(' ')}`));
  if (broken.length > 0) return worst(broken) ?? healthy('');
  const starting = localWorkers.filter((worker) => worker.starting).map(({ name }) => name);
  if (workflows === null) {
    return unknown('Whether a worker takes work cannot be told while Temporal does not answer.');
  }
  if (isWorkerThere(workflows)) {
    return healthy(starting.length === 0 ? 'Workers take work.' : `Workers take work; ${starting.join(', ')} starts.`);
  }
  if (!workflows.pipeline.running) {
    return unknown('Whether a worker is up cannot be told while no workflow runs that would need one.');
  }
  if (starting.length > 0) return suspect(`No worker takes work yet; ${starting.join(', ')} starts.`);
  return suspect('No worker takes work: no workflow answers and none of their leases is held.', START_WORKER);
}

const START_WORKER = 'Start one with `weir worker`, or all of them with `weir up --detach`.';

/** A lease that its worker no longer holds is taken away after 10 s of silence: Temporal's own clock decides. */
function isWorkerThere({ pipeline, closer, partitions }: WorkflowFacts): boolean {
  if (pipeline.says !== null || closer.says !== null || closer.leased) return true;
  return [...partitions.values()].some(({ leased, says }) => leased || says !== null);
}

export function judgePipeline({ topic, workflows }: HealthFacts): Finding {
  if (workflows === null) return unknown('What the workflows do cannot be told while Temporal does not answer.');
  const { running, says } = workflows.pipeline;
  if (!running) {
    return unhealthy(`The pipeline of topic ${topic} does not run.`, '`weir pipeline start` starts it.');
  }
  if (says === null) {
    if (isWorkerThere(workflows)) return healthy('The pipeline runs; its workers are too busy to say more.');
    return unknown('The pipeline is started; what it does nobody can tell without a worker.');
  }
  if (says.phase === 'backing-off') {
    return suspect(
      `The pipeline cannot look after its partitions: ${says.message}`,
      'See the stages above; `weir doctor` checks the rest.',
    );
  }
  if (says.phase === 'paused' || says.phase === 'pausing') {
    return healthy(`The pipeline is ${says.phase} by hand.`, '`weir pipeline resume` goes on.');
  }
  return healthy(`The pipeline is ${says.phase}. ${says.message}`);
}

/** How late a generator may be before it counts, and how much later than at the first look. */
const BEHIND_MS = 10_000;

/** None is needed: a topic may get its events from anywhere. */
export function judgeGenerators(first: HealthFacts, { workflows }: HealthFacts): Finding {
  if (workflows === null) return unknown('Generators cannot be asked while Temporal does not answer.');
  const { generators } = workflows;
  if (generators.length === 0) return healthy('No generator is wanted for this topic.');
  const earlier = new Map(first.workflows?.generators.map((each) => [each.name, each]));
  const findings = generators.map((each) => judgeGenerator(each, earlier.get(each.name) ?? each));
  return worst(findings) ?? healthy('');
}

function judgeGenerator(
  { name, phase, behindMs, trouble, answered }: GeneratorFacts,
  earlier: GeneratorFacts,
): Finding {
  if (phase === 'paused') return healthy(`Generator ${name} is paused.`);
  // A trouble that is over is remembered until the lease ends: while the schedule is kept it is none.
  if (trouble !== null && (behindMs ?? Infinity) >= BEHIND_MS)
    return suspect(`Generator ${name} waits: ${trouble}`, `\`weir generator status --name ${name}\` says more.`);
  if (!answered) return suspect(`Nobody works for generator ${name}.`, START_WORKER);
  if (behindMs !== null && behindMs >= BEHIND_MS && behindMs >= (earlier.behindMs ?? 0)) {
    const seconds = Math.round(behindMs / 1000);
    return suspect(
      `Generator ${name} is ${seconds} s behind its schedule and does not catch up.`,
      `Lower its rate (\`weir generator rate\`) or give Kafka and the workers more CPU.`,
    );
  }
  return healthy(`Generator ${name} keeps to its schedule.`);
}
