// `weir partition accept-gap`: shows what a partition has lost, and with consent lets it go on behind it.
import type { Command } from 'commander';

import { partitionOffsets } from '../kafka/topics.ts';
import type { AcceptedGap } from '../pipeline/lost-range.ts';
import { amount } from '../pipeline/setting-values.ts';
import type { Settings } from '../pipeline/settings.ts';
import { readCheckpoint } from '../postgres/checkpoints.ts';
import type { PartitionState } from '../workflows/commands.ts';
import { addressesOf } from './addresses.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { saysYes } from './consent.ts';
import { CliFailure } from './failure.ts';
import { grouped, plural, printJson, printLine } from './output.ts';
import { mustBeItsSchema } from './pipeline-schema.ts';
import { partitionTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';
import { withControl, withPool } from './with-servers.ts';

/** The Update's activity may take 30 s. */
const ANSWER_WITHIN_MS = 35_000;

type Options = { readonly yes?: boolean; readonly json?: boolean };

/** What is gone as of now, `[fromOffset, toOffset)`, and where the log ends. */
type Loss = { readonly fromOffset: number; readonly toOffset: number; readonly endOffset: number };

/** Exit code 0: the partition goes on; 1: the person said no; 2: it has lost nothing, or could not be asked. */
export function acceptGapCommand(): Command {
  return createCommand({
    name: 'accept-gap',
    summary: 'accept that messages which Kafka no longer holds are lost, and let their partition go on',
    more: [
      'For a partition that has stopped because its log now starts behind its checkpoint (weir partition list). Shows what is',
      'lost and asks first; without a terminal it needs --yes. The gap is kept in the table gaps, weir verify counts it, and',
      'ingestion goes on where the log starts. It cannot be undone. Exit code 1 when the answer was no.',
    ].join('\n'),
    examples: [
      ['weir partition accept-gap 3', 'shows what partition 3 has lost, asks, and lets it go on'],
      ['weir partition accept-gap 3 --yes --json', 'the same for a program: partition, fromOffset, toOffset, lost'],
    ],
    settings: WHERE,
  })
    .argument('<partition>', 'number of the partition', parsedBy(amount(0, 1_000_000)))
    .option('--yes', 'do not ask')
    .option('--json', 'print the accepted gap as JSON')
    .action(async (partition: number, options: Options, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        await mustBeItsSchema(control, settings);
        await acceptGap(control, { settings, partition, options });
      });
    });
}

async function acceptGap(
  control: Control,
  { settings, partition, options }: { settings: Settings; partition: number; options: Options },
): Promise<void> {
  const { topic } = settings;
  const target = partitionTarget(topic, partition);
  const { phase } = await control.state<PartitionState>(target);
  if (phase !== 'stopped: lost range') {
    throw new CliFailure(
      `Partition ${partition} of topic ${topic} is ${phase}, and only one that has stopped on a lost range has something to accept; \`weir partition list\` shows where it stands.`,
    );
  }
  const loss = await lookAtLoss(settings, partition);
  if (loss && !options.yes && !(await agreesTo(loss, { topic, partition }))) {
    printLine(`Nothing was accepted; partition ${partition} stays stopped.`);
    process.exitCode = 1;
    return;
  }
  // With nothing gone at present there is nothing to agree to: the partition says itself whether it can go on.
  const gap = await control.update<AcceptedGap>(target, 'acceptGap', { withinMs: ANSWER_WITHIN_MS });
  if (options.json) printJson(gap);
  else printLine(outcomeOf(gap, { schema: settings.schema, loss }));
}

async function lookAtLoss(settings: Settings, partition: number): Promise<Loss | null> {
  const { brokers } = addressesOf(settings).kafka;
  const logs = await partitionOffsets({ brokers, topic: settings.topic });
  const log = logs.find((one) => one.partition === partition);
  const checkpoint = await withPool(settings, async (pool) => await readCheckpoint(pool, settings, partition));
  if (!log || !checkpoint || checkpoint.nextOffset >= log.logStartOffset) return null;
  return { fromOffset: checkpoint.nextOffset, toOffset: log.logStartOffset, endOffset: log.endOffset };
}

async function agreesTo(
  { fromOffset, toOffset, endOffset }: Loss,
  { topic, partition }: { topic: string; partition: number },
): Promise<boolean> {
  const lost = `offsets ${fromOffset} to ${toOffset - 1} of partition ${partition} (${plural(toOffset - fromOffset, 'message')} at most)`;
  const question = 'Accept this loss for good?';
  const unasked = `Accepting loses ${lost} for good and nobody can be asked here; add --yes to do it.`;
  if (process.stdin.isTTY && process.stdout.isTTY) {
    printLine(`Topic ${topic}: ${lost} were never read, and Kafka no longer holds them.`);
    printLine(`Its log starts at ${toOffset} now and ends at ${endOffset}: ${grouped(endOffset - toOffset)} are left.`);
  }
  return await saysYes({ question, unasked });
}

function outcomeOf(
  { partition, fromOffset, toOffset, lost }: AcceptedGap,
  { schema, loss }: { schema: string; loss: Loss | null },
): string {
  const goesOn = `partition ${partition} goes on at offset ${toOffset}.`;
  if (lost === '0') return `Nothing is missing, and no gap was recorded; ${goesOn}`;
  const more = loss ? Number(toOffset) - loss.toOffset : 0;
  return [
    `Accepted: offsets ${fromOffset} to ${Number(toOffset) - 1} are lost (${plural(Number(lost), 'message')} at most, table ${schema}.gaps); ${goesOn}`,
    ...(more > 0 ? [`${grouped(more)} of them had gone since they were shown.`] : []),
  ].join('\n');
}
