// `weir dead-letters replay`: sends dead letters through the topic again, as they are or repaired, and says what became of them.
import { randomBytes } from 'node:crypto';

import type { Command } from 'commander';
import type pg from 'pg';

import { describeSelection } from '../pipeline/letter-selection.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import { replayId } from '../pipeline/ids.ts';
import { describeRepair } from '../pipeline/repair.ts';
import type { Repair } from '../pipeline/repair.ts';
import type { ReplayPlan } from '../pipeline/replay.ts';
import { amount } from '../pipeline/setting-values.ts';
import { pipelineSpec } from '../pipeline/settings.ts';
import type { Settings } from '../pipeline/settings.ts';
import { planReplay } from '../postgres/replayed-letters.ts';
import type { ReplayInput } from '../workflows/replay-dead-letters.ts';
import type { ReplayState } from '../workflows/replay-state.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { saysYes } from './consent.ts';
import { followRun } from './follow-run.ts';
import { addLetterFilters, lettersOf } from './letter-filters.ts';
import type { LetterFilterFlags } from './letter-filters.ts';
import { plural, printJson, printLine } from './output.ts';
import { mustHoldPipeline, refuseOtherSchema } from './pipeline-schema.ts';
import { addRepairFlags, repairOf } from './repair-flags.ts';
import type { RepairFlags } from './repair-flags.ts';
import { dryRun } from './replay-dry-run.ts';
import { outcomeJson, progressOf } from './replay-text.ts';
import { refuseUnlike, replayable } from './replayable-letters.ts';
import { replayTarget } from './targets.ts';
import { ensureWorkflow } from './temporal-control.ts';
import { withControl, withPool } from './with-servers.ts';

type Flags = LetterFilterFlags &
  RepairFlags & {
    readonly limit?: number;
    readonly rate: number;
    readonly dryRun?: boolean;
    readonly yes?: boolean;
    readonly detach?: boolean;
    readonly json?: boolean;
  };

const DEFAULT_RATE = 1_000;

/** Exit code 0: it is done (or a dry run); 1: it was cancelled, or the person said no; 2: it could not begin. */
export function replayLettersCommand(): Command {
  const command = createCommand({
    name: 'replay',
    summary: 'send dead letters through the topic again, as they are or repaired, and say what became of each',
    more: [
      'Letters go out oldest first with their own key, headers and bytes; those that are repaired keep every character that the',
      'repair does not touch. Steps of --set and --rename are taken in the order in which they are written, then the transform.',
      'A transform gets { id, reason, field, detail, attempt, partition, offset, timestamp, refusedAt, key, headers, value, text,',
      'bytes } and changes one of value (the parsed JSON), text and bytes; it runs apart, with two seconds for each letter. A letter',
      'that cannot be repaired stays as it is, with the reason in the outcome. Only open letters are meant, parked ones too when',
      'they are named by number or by --status parked, and --status sent means those whose replay was lost. It runs as a workflow',
      'on the workers: Ctrl-C leaves it running. On a terminal it asks first, unless the letters are named by number.',
    ].join('\n'),
    examples: [
      [
        'weir dead-letters replay --reason unsupported_version',
        'after an upgrade: what the older build could not read',
      ],
      ['weir dead-letters replay 17 18 --set device=mobile --dry-run', 'only says what the two would become'],
      ['weir dead-letters replay --field user_id --rename userId=user_id', 'a producer had used another name'],
      [
        'weir dead-letters replay --reason not_json --transform fix.ts --limit 100',
        'a function of your own, on a hundred first',
      ],
    ],
    settings: WHERE,
  }).argument('[letters...]', 'numbers of letters');
  return addRepairFlags(addLetterFilters(command))
    .option('--limit <count>', 'at most so many letters, the oldest ones', parsedBy(amount(1, 1_000_000_000)))
    .option('--rate <number>', 'letters a second, at most', parsedBy(amount(1, 100_000)), DEFAULT_RATE)
    .option('--dry-run', 'say what each letter would become, and send nothing')
    .option('--yes', 'do not ask')
    .option('--detach', 'start it and return at once')
    .option('--json', 'print JSON')
    .action(async (ids: string[], flags: Flags, itself: Command) => {
      const { settings } = settingsOf(itself);
      const selection = replayable(lettersOf(flags, ids));
      const repair = await repairOf(flags);
      const wanted = await withPool(
        settings,
        async (pool) => await prepare(pool, settings, { selection, flags, repair }),
      );
      if (wanted !== null) await replay(settings, wanted, flags);
    });
}

type Asked = { readonly selection: LetterSelection; readonly flags: Flags; readonly repair: Repair };
type Wanted = Pick<ReplayInput, 'spec' | 'selection' | 'plan' | 'repair'>;

/** What is to be replayed; null where nothing is, or nothing more than to look. */
async function prepare(pool: pg.Pool, settings: Settings, { selection, flags, repair }: Asked): Promise<Wanted | null> {
  const spec = pipelineSpec(settings);
  await mustHoldPipeline(pool, spec);
  await refuseUnlike(pool, spec.schema, selection);
  const plan = await planReplay(pool, spec.schema, { selection, limit: flags.limit ?? null });
  if (plan.letters === 0) {
    if (flags.json) printJson({ letters: 0 });
    else printLine(`No dead letter is meant (${describeSelection(selection)}); nothing is sent.`);
    return null;
  }
  if (flags.dryRun) {
    await dryRun(pool, { spec, selection, plan, repair, json: flags.json ?? false });
    return null;
  }
  await withControl(settings, async (control) => await refuseOtherSchema(control, settings));
  if (!(await isAgreed(plan, { selection, flags, repair }))) {
    printLine('Nothing was sent.');
    process.exitCode = 1;
    return null;
  }
  return { spec, selection, plan, repair };
}

/** What is sent wrongly stays in the topic. Who names letters, or is no person, has decided. */
async function isAgreed({ letters }: ReplayPlan, { selection, flags, repair }: Asked): Promise<boolean> {
  if (flags.yes || selection.ids.length > 0 || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  const changes = describeRepair(repair);
  const how = changes === '' ? 'as they are' : `with ${changes}`;
  const question = `Send ${plural(letters, 'dead letter')} again, ${how}? (--dry-run says what they would become.)`;
  return await saysYes({ question, unasked: question });
}

async function replay(settings: Settings, wanted: Wanted, { rate, detach, json }: Flags): Promise<void> {
  const id = randomBytes(4).toString('hex');
  const input: ReplayInput = { ...wanted, replay: id, rate };
  await withControl(settings, async (control) => {
    const type = 'replayDeadLetters';
    const letters = plural(wanted.plan.letters, 'letter');
    const { topic } = settings;
    const summary = `send ${letters} of ${topic} again`;
    const details = `Sends dead letters (${describeSelection(wanted.selection)}) to topic **${topic}** again and waits for what becomes of each. \`weir dead-letters replays pause ${id}\`, \`resume\` and \`cancel\` speak to it.`;
    const words = { summary, details, topic };
    await ensureWorkflow(control, { type, id: replayId(id), queue: 'windows', input, memo: { topic }, ...words });
    if (detach) {
      if (json) printJson({ id, letters: wanted.plan.letters });
      else printLine(`Replay ${id} of ${letters} is started; \`weir dead-letters replays\` says how far it is.`);
      return;
    }
    const stays = 'what it had sent stays sent, and starting it again does the rest';
    const outcome = await followRun<ReplayState>(control, { target: replayTarget(id), line: progressOf, stays });
    if (outcome === 'left running') {
      printLine(
        `Replay ${id} goes on; \`weir dead-letters replays\` says how far it is, \`weir dead-letters replays cancel ${id}\` ends it.`,
      );
      return;
    }
    if (json) printJson(outcomeJson(outcome));
    else for (const line of outcomeLines(outcome)) printLine(line);
    if (outcome.phase === 'cancelled') process.exitCode = 1;
  });
}

function outcomeLines({ message, unsent, outcomes, replay: id }: ReplayState): string[] {
  const examples = unsent.examples.map(({ id: letter, why }) => `  letter ${letter}: ${why}`);
  const more =
    unsent.letters > examples.length ? [`  and ${plural(unsent.letters - examples.length, 'letter')} more`] : [];
  const again =
    (outcomes?.replaced ?? 0) > 0
      ? ['`weir dead-letters list` shows the letters of those that were refused again.']
      : [];
  const unread = (outcomes?.undecided ?? 0) > 0 ? ['`weir status` says whether the pipeline reads on.'] : [];
  return [`Replay ${id}: ${message}`, ...examples, ...more, ...again, ...unread];
}
