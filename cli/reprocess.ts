// `weir reprocess`: rebuilds the windows of a range of event time and says what differed; and halts, lists or ends such work.
import { randomBytes } from 'node:crypto';

import type { Command } from 'commander';

import { reprocessId } from '../pipeline/ids.ts';
import { parseMoment } from '../pipeline/moment.ts';
import { rereadFromMs } from '../pipeline/rebuild.ts';
import { pipelineSpec } from '../pipeline/settings.ts';
import type { Settings } from '../pipeline/settings.ts';
import { withSessionRules } from '../postgres/session-rules.ts';
import type { ReprocessState } from '../workflows/reprocess-state.ts';
import type { ReprocessInput } from '../workflows/reprocess.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { followReprocess } from './follow-reprocess.ts';
import { printJson, printLine, timeText } from './output.ts';
import { mustBeItsSchema } from './pipeline-schema.ts';
import { reprocessListCommand } from './reprocess-list.ts';
import { outcomeJson } from './reprocess-text.ts';
import { rereadTopic } from './reread-topic.ts';
import { reprocessTarget } from './targets.ts';
import { ensureWorkflow } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';
import { withControl, withPool } from './with-servers.ts';
import { rulesOfRunning } from './workflow-troubles.ts';

type Flags = {
  readonly from?: number;
  readonly to?: number;
  readonly includeBeyondHorizon?: boolean;
  readonly fromTopic?: boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
};

/** Exit code 0: the range is right now, whether or not anything had to change; 1: it was cancelled; 2: it could not begin. */
export function reprocessCommand(): Command {
  const moment = parsedBy((text) => parseMoment(text, Date.now()));
  return createCommand({
    name: 'reprocess',
    summary: 'rebuild the windows of a time range from events, beside live ingestion, and say what differed',
    more: [
      'Makes panes and windows of the range again from the table events and compares them with what is stored. Rows that',
      'differ, are missing or should not be there get a next revision, listed in the table amendments with cause reprocess;',
      'a range that is right is not touched. It runs as a workflow on the workers: Ctrl-C leaves it running. Late events of',
      'the range are taken in, those beyond the amend horizon only with --include-beyond-horizon. With --from-topic every',
      'partition first reads the range again, as weir partition rewind does: events and dead letters that are missing come back,',
      'also beyond the amend horizon, and nothing doubles. Live ingestion goes on behind what is read again.',
    ].join('\n'),
    examples: [
      ['weir reprocess --from 2026-11-22 --to 2026-11-23', 'one day, with a progress bar'],
      ['weir reprocess --from 6h --to 1h --include-beyond-horizon', 'with the events that had come too late'],
      ['weir reprocess --from 6h --to 1h --from-topic', 'what is no longer in events is read again first'],
      ['weir reprocess --from 30d --to 0s --detach', 'a month; `weir reprocess list` says how far it is'],
    ],
    settings: WHERE,
  })
    .option('--from <time>', 'first event time of the range: a time, or how long ago, such as 2h', moment)
    .option('--to <time>', 'event time at which the range ends', moment)
    .option('--include-beyond-horizon', 'take in late events beyond the amend horizon, and clear their mark')
    .option(
      '--from-topic',
      'let every partition read the range again first; takes in what is missing, beyond the horizon too',
    )
    .option('--detach', 'start it and return at once')
    .option('--json', 'print the outcome as JSON')
    .action(async (flags: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      await reprocess(settings, flags);
    })
    .addCommand(reprocessListCommand())
    .addCommand(verb('pause', 'let a reprocess rest between two transactions'))
    .addCommand(verb('resume', 'let a reprocess go on from where it rests'))
    .addCommand(verb('cancel', 'end a reprocess; what it has rebuilt stays'));
}

async function reprocess(settings: Settings, flags: Flags): Promise<void> {
  const { fromMs, toMs } = rangeOf(flags);
  const id = randomBytes(4).toString('hex');
  await withControl(settings, async (control) => {
    await mustBeItsSchema(control, settings);
    const input = await inputOf(control, { settings, flags, id });
    const memo = { topic: settings.topic, fromMs, toMs };
    const type = 'reprocess';
    const range = `${timeText(fromMs)} to ${timeText(toMs)}`;
    const summary = `rebuild windows of ${settings.topic}, ${range}`;
    const details = `Rebuilds the windows of event time ${range} from table \`events\`; what differs gets its next revision. \`weir reprocess pause ${id}\`, \`resume\` and \`cancel\` speak to it.`;
    const { topic } = settings;
    await ensureWorkflow(control, {
      type,
      id: reprocessId(id),
      queue: 'windows',
      input,
      memo,
      summary,
      details,
      topic,
    });
    if (flags.detach) {
      if (flags.json) printJson({ id });
      else printLine(`Reprocess ${id} is started; \`weir reprocess list\` says how far it is.`);
      return;
    }
    const outcome = await followReprocess(control, id);
    if (outcome === 'left running') {
      printLine(
        `Reprocess ${id} goes on; \`weir reprocess list\` says how far it is, \`weir reprocess cancel ${id}\` ends it.`,
      );
      return;
    }
    if (flags.json) printJson(outcomeJson(id, outcome));
    else printLine(`${timeText(fromMs)} to ${timeText(toMs)}: ${outcome.message}`);
    if (outcome.phase === 'cancelled') process.exitCode = 1;
  });
}

type Asked = { readonly settings: Settings; readonly flags: Flags; readonly id: string };

/** With `--from-topic`, partitions are rewound before this returns. */
async function inputOf(control: Control, { settings, flags, id }: Asked): Promise<ReprocessInput> {
  const { fromMs, toMs } = rangeOf(flags);
  const { includeBeyondHorizon = false, fromTopic = false } = flags;
  // Sessions are to be made by the rules of the pipeline, whatever this call was given.
  const known = await withPool(settings, async (pool) => await withSessionRules(pool, settings));
  const spec = pipelineSpec({ ...known, ...(await rulesOfRunning(control, settings.topic).catch(() => ({}))) });
  const input = { spec, fromMs, toMs, includeBeyondHorizon };
  if (!fromTopic) return input;
  const why = `weir reprocess ${id} --from ${timeText(fromMs)} --to ${timeText(toMs)} --from-topic`;
  const rereadMs = rereadFromMs({ startMs: fromMs, endMs: toMs }, settings);
  const afterOffsets = await rereadTopic(control, { settings, fromMs: rereadMs, why });
  return { ...input, includeBeyondHorizon: true, afterOffsets, rereadFor: why };
}

function rangeOf({ from, to }: Flags): { fromMs: number; toMs: number } {
  if (from === undefined || to === undefined) {
    throw new CliFailure('Say which range: --from TIME --to TIME; `weir reprocess --help` has examples.');
  }
  if (from >= to) {
    throw new CliFailure(
      `The range ends at ${timeText(to)}, not after its beginning ${timeText(from)}; give a later --to.`,
    );
  }
  return { fromMs: from, toMs: to };
}

function verb(name: 'pause' | 'resume' | 'cancel', summary: string): Command {
  return createCommand({
    name,
    summary,
    examples: [[`weir reprocess ${name} 5f2c90ab`, `${name}s that one; \`weir reprocess list\` names them`]],
    settings: WHERE,
  })
    .argument('<id>', 'id of the reprocess')
    .option('--json', 'print the state as JSON')
    .action(async (id: string, { json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        // The transaction in hand is waited for.
        const state = await control.update<ReprocessState>(reprocessTarget(id), name, { withinMs: 35_000 });
        if (json) printJson(state);
        else printLine(`Reprocess ${id} of topic ${state.topic} is ${state.phase}. ${state.message}`);
      });
    });
}
