// `weir partition rewind`: says what reading a partition again would do, and with consent does it.
import type { Command } from 'commander';

import { parseMoment } from '../pipeline/moment.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { RewindRequest, RewindTarget, RewoundPartition } from '../pipeline/rewind-target.ts';
import { amount } from '../pipeline/setting-values.ts';
import type { Settings } from '../pipeline/settings.ts';
import type { PartitionState } from '../workflows/commands.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { saysYes } from './consent.ts';
import { CliFailure } from './failure.ts';
import { plural, printJson, printLine, timeText } from './output.ts';
import { mustBeItsSchema } from './pipeline-schema.ts';
import { messagesAgain, planRewind } from './rewind-plan.ts';
import type { RewindPlan } from './rewind-plan.ts';
import { partitionTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

/** The lease in hand is waited for, of which a lost worker takes 10 s, and the Update's activity may take 30 s. */
const ANSWER_WITHIN_MS = 60_000;

type Options = { readonly to: RewindTarget; readonly yes?: boolean; readonly json?: boolean };
type Asked = { readonly settings: Settings; readonly partition: number; readonly options: Options };

/** Exit code 0: it is rewound, or stood there already; 1: the person said no; 2: it cannot be, or nobody could be asked. */
export function rewindCommand(): Command {
  return createCommand({
    name: 'rewind',
    summary: 'read the messages of a partition again, from an offset or a time on',
    more: [
      'Says what it will do and asks first; without a terminal it needs --yes. Events that are recorded already are recognised',
      'by their identity, refused messages keep their one dead letter: nothing doubles. What was refused and is valid by newer',
      'rules becomes an event. To bring back rows that somebody deleted, use weir reprocess --from-topic, which also puts their',
      'windows right. The counts so far are kept as an earlier run (table',
      'checkpoint_runs), and weir verify holds each run to account. A time is looked up by the timestamps of Kafka. Works',
      'while the partition is paused, and after its topic was made again. Exit code 1 when the answer was no.',
    ].join('\n'),
    examples: [
      ['weir partition rewind 3 --to 120000', 'shows what is read again, asks, and reads on from offset 120000'],
      ['weir partition rewind 3 --to 2h', 'from the first message of the last two hours on'],
      ['weir partition rewind 3 --to 2026-11-23T10:05Z --yes --json', 'the same for a program'],
    ],
    settings: WHERE,
  })
    .argument('<partition>', 'number of the partition', parsedBy(amount(0, 1_000_000)))
    .requiredOption(
      '--to <offset|time>',
      'first offset to read again, or a time, or how long ago, such as 2h',
      parsedBy(targetOf),
    )
    .option('--yes', 'do not ask')
    .option('--json', 'print what was done as JSON')
    .action(async (partition: number, options: Options, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        await mustBeItsSchema(control, settings);
        await rewind(control, { settings, partition, options });
      });
    });
}

/** Digits alone are an offset. */
function targetOf(text: string): RewindTarget {
  const given = text.trim();
  if (/^\d{1,15}$/.test(given)) return { offset: String(Number(given)) };
  if (/^[-+]?\d+$/.test(given)) throw new Error(`"${text}" is no offset; offsets are whole numbers from 0 on`);
  return { timeMs: parseMoment(given, Date.now()) };
}

async function rewind(control: Control, { settings, partition, options }: Asked): Promise<void> {
  const { topic } = settings;
  const target = partitionTarget(topic, partition);
  const state = await control.state<PartitionState>(target);
  const plan = (await planRewind(settings, options.to)).find((one) => one.partition === partition);
  if (!plan)
    throw new CliFailure(`Partition ${partition} of topic ${topic} has read nothing yet; there is nothing to rewind.`);
  if (plan.refusal !== null) throw new CliFailure(plan.refusal);
  if (plan.toOffset === plan.fromOffset) {
    if (options.json) printJson(standsThere(plan));
    else
      printLine(
        `Partition ${partition} of topic ${topic} stands at offset ${plan.toOffset} already; nothing was changed.`,
      );
    return;
  }
  if (!options.yes && !(await agreesTo(plan, { settings, options }))) {
    printLine(`Nothing was changed; partition ${partition} goes on from where it stands.`);
    process.exitCode = 1;
    return;
  }
  const request: RewindRequest = { target: options.to, why: `weir partition rewind --to ${said(options.to)}` };
  const rewound = await control.update<RewoundPartition>(target, 'rewind', {
    args: [request],
    withinMs: ANSWER_WITHIN_MS,
  });
  if (options.json) printJson(rewound);
  else printLine(outcomeOf(rewound, { topic, isPaused: state.pausedByPerson || state.pausedByPipeline }));
}

const said = (target: RewindTarget): string => ('offset' in target ? target.offset : timeText(target.timeMs));

const standsThere = ({ partition, run, fromOffset, toOffset, reachedOffset }: RewindPlan): RewoundPartition => ({
  partition,
  run,
  fromOffset: formatOffset(fromOffset),
  toOffset: formatOffset(toOffset),
  reachedOffset: formatOffset(reachedOffset),
  isNew: false,
});

async function agreesTo(
  plan: RewindPlan,
  { settings, options }: Pick<Asked, 'settings' | 'options'>,
): Promise<boolean> {
  const { topic, schema } = settings;
  const { partition, run, fromOffset, toOffset, log } = plan;
  const from = `partition ${partition} from offset ${fromOffset} to ${toOffset}`;
  const again = `${plural(messagesAgain(plan), 'message')} again`;
  const unasked = `Rewinding ${from} reads ${again} and nobody can be asked here; add --yes to do it.`;
  if (process.stdin.isTTY && process.stdout.isTTY) {
    const time = 'timeMs' in options.to ? ` (the first message at or after ${timeText(options.to.timeMs)})` : '';
    printLine(`Topic ${topic}: this takes ${from}${time}; its log holds ${log.logStartOffset} to ${log.endOffset}.`);
    if (toOffset > fromOffset) {
      printLine(
        `It goes forward: ${plural(toOffset - fromOffset, 'message')} that an earlier run has read are not read again.`,
      );
    }
    printLine(`It reads ${again}: recorded events are recognised by their identity, and nothing doubles.`);
    printLine(
      `The counts so far are kept as run ${run} (table ${schema}.checkpoint_runs); run ${run + 1} begins with none.`,
    );
  }
  return await saysYes({ question: 'Rewind it?', unasked });
}

function outcomeOf(
  { partition, run, fromOffset, toOffset, reachedOffset, isNew }: RewoundPartition,
  { topic, isPaused }: { topic: string; isPaused: boolean },
): string {
  const resume = isPaused
    ? ` It is paused: \`weir partition resume ${partition}\` or \`weir pipeline resume\` lets it read.`
    : '';
  if (!isNew)
    return `Partition ${partition} of topic ${topic} stood at offset ${toOffset} already; nothing was changed.${resume}`;
  const again = plural(Number(reachedOffset) - Number(toOffset), 'message');
  const watch = isPaused ? '' : ' `weir partition list` shows its lag.';
  return `Rewound: partition ${partition} of topic ${topic} went from offset ${fromOffset} to ${toOffset}; run ${run} reads ${again} again.${watch}${resume}`;
}
