// Lets every partition of a topic read a time range again, for a reprocess that rebuilds it afterwards.
import { formatOffset } from '../pipeline/offset.ts';
import type { RewindRequest, RewoundPartition } from '../pipeline/rewind-target.ts';
import type { Settings } from '../pipeline/settings.ts';
import type { EndOffsets, PartitionState } from '../workflows/commands.ts';
import { CliFailure } from './failure.ts';
import { plural, printProgress, timeText } from './output.ts';
import { messagesAgain, planRewind } from './rewind-plan.ts';
import type { RewindPlan } from './rewind-plan.ts';
import { partitionTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';

const ANSWER_WITHIN_MS = 60_000;

type Reread = {
  readonly settings: Settings;
  /** Epoch ms by Kafka's timestamps. */
  readonly fromMs: number;
  /** Kept with the runs that end. */
  readonly why: string;
};

/**
 * Rewinds every partition that stands behind the time. Answers with the offsets at which all that was read before is read
 * again. Throws CliFailure, before anything is rewound, where a partition rests and would never get there.
 */
export async function rereadTopic(control: Control, { settings, fromMs, why }: Reread): Promise<EndOffsets> {
  const plans = await planRewind(settings, { timeMs: fromMs });
  if (plans.length === 0) {
    throw new CliFailure(
      `Topic ${settings.topic} has not been read into schema ${settings.schema} yet; there is nothing to read again.`,
    );
  }
  await Promise.all(plans.map(async ({ partition }) => await mustBeReading(control, settings.topic, partition)));
  const behind = plans.filter(({ fromOffset, toOffset }) => toOffset < fromOffset);
  const messages = behind.reduce((sum, plan) => sum + messagesAgain(plan), 0);
  printProgress(
    `Reading again from ${timeText(fromMs)} on: ${plural(messages, 'message')} in ${plural(behind.length, 'partition')}.`,
  );
  const gone = behind.filter(({ toOffset, log }) => toOffset === log.logStartOffset && toOffset > 0);
  if (gone.length > 0) {
    const starts = gone.map(({ partition, toOffset }) => `partition ${partition} at ${toOffset}`).join(', ');
    printProgress(
      `Kafka may no longer hold all of it, since its logs start there (${starts}); what events holds of before stays.`,
    );
  }
  const rewound = await Promise.all(behind.map(async (plan) => await rewind(control, settings.topic, { plan, why })));
  const ends = plans.map((plan) => {
    const done = rewound.find(({ partition }) => partition === plan.partition);
    // A topic that was made again may end before what was read of the old one.
    const reachedOffset = Math.min(done ? Number(done.reachedOffset) : plan.reachedOffset, plan.log.endOffset);
    return [String(plan.partition), formatOffset(reachedOffset)];
  });
  return Object.fromEntries(ends);
}

async function mustBeReading(control: Control, topic: string, partition: number): Promise<void> {
  const { phase, message } = await control.state<PartitionState>(partitionTarget(topic, partition));
  if (phase === 'paused' || phase.startsWith('stopped')) {
    throw new CliFailure(
      `Partition ${partition} of topic ${topic} is ${phase} and would not read anything again. ${message}`,
    );
  }
}

async function rewind(
  control: Control,
  topic: string,
  { plan, why }: { plan: RewindPlan; why: string },
): Promise<RewoundPartition> {
  const request: RewindRequest = { target: { offset: formatOffset(plan.toOffset) }, why };
  const target = partitionTarget(topic, plan.partition);
  return await control.update<RewoundPartition>(target, 'rewind', { args: [request], withinMs: ANSWER_WITHIN_MS });
}
