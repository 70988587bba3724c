// `weir dead-letters discard`: gives up letters that nobody will repair: they stay, with the reason.
import type { Command } from 'commander';
import type pg from 'pg';

import { UNDECIDED } from '../pipeline/dead-letter.ts';
import { SelectionError, selectsEveryLetter } from '../pipeline/letter-selection.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import { text } from '../pipeline/setting-values.ts';
import { discardLetters, letterStates, youngestLetter } from '../postgres/discard-letters.ts';
import { countLettersBy } from '../postgres/letter-pages.ts';
import type { LetterCount } from '../postgres/letter-pages.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { saysYes } from './consent.ts';
import { CliFailure } from './failure.ts';
import { addLetterFilters, lettersOf } from './letter-filters.ts';
import type { LetterFilterFlags } from './letter-filters.ts';
import { grouped, plural, printJson, printLine } from './output.ts';
import { openProgressLine, progressBar } from './progress-line.ts';
import { withPool } from './with-servers.ts';

type Flags = LetterFilterFlags & {
  readonly reasonText: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

/** Exit code 0: discarded (or a dry run); 1: the person said no; 2: it could not be done. */
export function discardLettersCommand(): Command {
  const command = createCommand({
    name: 'discard',
    summary: 'give up open or parked dead letters for good; they stay in the table, with your reason',
    more: 'Shows how many are meant and asks first; without a terminal it needs --yes. Letters that a replay has sent, or that became events, are left alone. Exit code 1 when the answer was no.',
    examples: [
      ['weir dead-letters discard --reason-text "test orders" --text test-shop', 'all letters of the test shop'],
      ['weir dead-letters discard 17 18 --reason-text "sent by mistake" --yes', 'two of them, without being asked'],
      ['weir dead-letters discard --reason-text x --reason not_json --dry-run', 'only says which ones it would be'],
    ],
    settings: ['schema', 'home', 'postgresUrl', 'logLevel'],
  })
    .argument('[letters...]', 'numbers of letters')
    .requiredOption('--reason-text <why>', 'why they are given up, for those who come later', parsedBy(text));
  return addLetterFilters(command)
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be discarded, and change nothing')
    .option('--json', 'print JSON')
    .action(async (ids: string[], flags: Flags, itself: Command) => {
      const { settings } = settingsOf(itself);
      const selection = undecided(lettersOf(flags, ids));
      await withPool(settings, async (pool) => await discard(pool, settings.schema, { selection, flags }));
    });
}

/** Of these letters those that may be discarded. Throws what is wrong with asking for others. */
function undecided(selection: LetterSelection): LetterSelection {
  if (selectsEveryLetter(selection)) {
    throw new CliFailure('Say which dead letters: their numbers or a filter; --status open means all open ones.');
  }
  const { statuses } = selection;
  const wrong = statuses.filter((status) => !UNDECIDED.includes(status));
  if (wrong.length > 0) {
    throw new CliFailure(
      `--status ${wrong.join(',')}: only letters that are ${UNDECIDED.join(' or ')} can be discarded.`,
    );
  }
  return { ...selection, statuses: statuses.length === 0 ? UNDECIDED : statuses };
}

type Asked = { readonly selection: LetterSelection; readonly flags: Flags };

async function discard(pool: pg.Pool, schema: string, { selection, flags }: Asked): Promise<void> {
  const throughId = await youngestLetter(pool, schema);
  await refuseDecided(pool, schema, selection.ids);
  const counts = await countLettersBy(pool, schema, { selection, by: 'reason', limit: 1_000 });
  const total = counts.reduce((sum, { letters }) => sum + letters, 0);
  const meant = `${plural(total, 'dead letter')}${total === 0 ? '' : ` (${reasonsText(counts)})`}`;
  if (flags.dryRun || total === 0) {
    if (flags.json) printJson({ wouldDiscard: total, byReason: byReason(counts), discarded: 0 });
    else
      printLine(
        total === 0 ? 'No open or parked dead letter is meant; nothing is discarded.' : `Would discard ${meant}.`,
      );
    return;
  }
  if (!flags.yes && !(await agreesTo(meant))) {
    printLine('Nothing was discarded.');
    process.exitCode = 1;
    return;
  }
  const progress = openProgressLine();
  const discarded = await discardLetters(pool, schema, {
    selection,
    throughId,
    note: flags.reasonText,
    onProgress: (done) => progress.show(progressBar('Discarding', done, total)),
  }).finally(progress.clear);
  if (flags.json) printJson({ discarded });
  else printLine(`Discarded ${plural(discarded, 'dead letter')}, kept in ${schema}.dead_letters with your reason.`);
}

async function agreesTo(meant: string): Promise<boolean> {
  return await saysYes({
    question: `Discard ${meant} for good?`,
    unasked: `This discards ${meant} for good and nobody can be asked here; add --yes to do it.`,
  });
}

/** Who names letters means each of them: one that cannot be discarded keeps all of them from it. */
async function refuseDecided(pool: pg.Pool, schema: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const states = await letterStates(pool, schema, ids);
  const problems = ids.flatMap((id) => {
    const status = states.get(id);
    if (status === undefined) return [`There is no dead letter ${id}; nothing was discarded.`];
    if (UNDECIDED.some((one) => one === status)) return [];
    return [`Letter ${id} is ${status}, and only an open or parked one can be discarded; nothing was discarded.`];
  });
  if (problems.length > 0) throw new SelectionError(problems);
}

const byReason = (counts: readonly LetterCount[]): Record<string, number> =>
  Object.fromEntries(counts.map(({ value, letters }) => [value ?? '-', letters]));

function reasonsText(counts: readonly LetterCount[]): string {
  const shown = counts.slice(0, 5).map(({ value, letters }) => `${grouped(letters)} ${value ?? '-'}`);
  return [...shown, ...(counts.length > 5 ? ['and others'] : [])].join(', ');
}
