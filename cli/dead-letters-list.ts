// `weir dead-letters list`: a page of the dead letters that the filters mean, or how many there are of each kind.
import { Option } from 'commander';
import type { Command } from 'commander';
import type pg from 'pg';

import { describeSelection, LETTER_GROUPS, selectLetters } from '../pipeline/letter-selection.ts';
import type { LetterGroup, LetterSelection } from '../pipeline/letter-selection.ts';
import { formatOffset } from '../pipeline/offset.ts';
import { readable } from '../pipeline/readable-bytes.ts';
import { amount } from '../pipeline/setting-values.ts';
import { countLettersBy, readLetterPage } from '../postgres/letter-pages.ts';
import type { LetterLine } from '../postgres/letter-pages.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { addLetterFilters, lettersOf, withCommas } from './letter-filters.ts';
import type { LetterFilterFlags } from './letter-filters.ts';
import { grouped, plural, printJson, printLine, tableOf, timeText } from './output.ts';
import { notRestored } from './pipeline-schema.ts';
import { withPool } from './with-servers.ts';

type Flags = LetterFilterFlags & {
  readonly ids?: readonly string[];
  readonly by?: LetterGroup;
  readonly oldest?: boolean;
  readonly limit: number;
  readonly after?: string;
  readonly json?: boolean;
};

/** The command. */
export function listLettersCommand(): Command {
  const command = createCommand({
    name: 'list',
    summary: 'dead letters, newest first, or with --by how many there are of each kind',
    more: 'Filters narrow each other; a filter that takes several values means any of them. An event type is what the bytes say behind "event_type", if anything.',
    examples: [
      [
        'weir dead-letters list --status open --since 2h',
        'what was refused in the last two hours and waits for somebody',
      ],
      ['weir dead-letters list --by field --reason wrong_field,missing_field', 'which fields are wrong most often'],
      ['weir dead-letters list --json --limit 1000 --after 5000', 'the page behind letter 5000, for programs'],
    ],
    settings: ['schema', 'home', 'postgresUrl', 'logLevel'],
  });
  return addLetterFilters(command)
    .option('--ids <numbers>', 'only these letters', withCommas)
    .addOption(new Option('--by <what>', 'count instead of list').choices(LETTER_GROUPS))
    .option('--oldest', 'oldest first')
    .option('--limit <count>', 'letters (or groups) to show', parsedBy(amount(1, 10_000)), 20)
    .option('--after <letter>', 'go on behind this letter: the next page')
    .option('--json', 'print JSON')
    .action(async (flags: Flags, itself: Command) => {
      const { settings } = settingsOf(itself);
      const { by } = flags;
      const selection = lettersOf(flags, flags.ids ?? []);
      await withPool(settings, async (pool) => {
        if (by === undefined) await listPage(pool, settings.schema, { flags, selection });
        else await listCounts(pool, settings.schema, { flags, selection, by });
      });
    });
}

type Asked = { readonly flags: Flags; readonly selection: LetterSelection };

async function listPage(pool: pg.Pool, schema: string, { flags, selection }: Asked): Promise<void> {
  const { limit, after, json, oldest } = flags;
  const [from] = selectLetters({ ids: after === undefined ? [] : [after] }, 0).ids;
  // One more than asked for tells whether there is a next page.
  const found = await readLetterPage(pool, schema, {
    selection,
    order: oldest ? 'oldest-first' : 'newest-first',
    after: from ?? null,
    limit: limit + 1,
  });
  const letters = found.slice(0, limit);
  const next = found.length > limit ? (letters.at(-1)?.id ?? null) : null;
  if (json) {
    printJson({ letters: letters.map(letterJson), next });
    return;
  }
  if (letters.length === 0) printLine(await noneSentence(pool, schema, { selection, after }));
  else printLine(tableOf(['id', 'refused', 'place', 'type', 'reason', 'status', 'bytes', 'what'], letters.map(cells)));
  if (next !== null)
    printLine(`\nThere are more: the same with --after ${next} shows the next page, --by reason counts them.`);
}

async function noneSentence(
  pool: pg.Pool,
  schema: string,
  { selection, after }: { selection: LetterSelection; after?: string | undefined },
): Promise<string> {
  const filters = describeSelection(selection);
  const behind = after === undefined ? '' : ` behind ${after}`;
  if (filters !== '') return `No dead letter${behind} is meant by these filters (${filters}).`;
  if (after !== undefined) return `There is no dead letter${behind}.`;
  return (
    (await notRestored(pool, schema, 'dead letters')) ?? 'There are no dead letters: every message became an event.'
  );
}

const WHAT_COLUMNS = 70;

function cells(letter: LetterLine): string[] {
  const what = readable(Buffer.from(letter.detail));
  return [
    letter.id,
    timeText(letter.refusedAtMs),
    `${letter.partition}/${letter.offset}`,
    shortened(letter.type ?? '-', 20),
    letter.field === null ? letter.reason : `${letter.reason} (${shortened(readable(Buffer.from(letter.field)), 30)})`,
    letter.attempt === 1 ? letter.status : `${letter.status} (attempt ${letter.attempt})`,
    letter.valueBytes === null ? '-' : grouped(letter.valueBytes),
    shortened(what, WHAT_COLUMNS),
  ];
}

function shortened(text: string, columns: number): string {
  const characters = Array.from(text);
  return characters.length <= columns ? text : `${characters.slice(0, columns - 3).join('')}...`;
}

/** One line of `--json`. Offsets and ids are decimal strings. */
const letterJson = (letter: LetterLine) => ({
  id: letter.id,
  partition: letter.partition,
  offset: formatOffset(letter.offset),
  kafkaTimestamp: new Date(letter.kafkaTimestampMs).toISOString(),
  refusedAt: new Date(letter.refusedAtMs).toISOString(),
  type: letter.type,
  reason: letter.reason,
  field: letter.field,
  detail: letter.detail,
  status: letter.status,
  attempt: letter.attempt,
  parent: letter.parent,
  valueBytes: letter.valueBytes,
});

async function listCounts(pool: pg.Pool, schema: string, asked: Asked & { readonly by: LetterGroup }): Promise<void> {
  const { flags, selection, by } = asked;
  const { limit, json } = flags;
  const found = await countLettersBy(pool, schema, { selection, by, limit: limit + 1 });
  const groups = found.slice(0, limit);
  const more = found.length > limit;
  if (json) {
    const rows = groups.map(({ value, letters, firstAtMs, lastAtMs }) => ({
      value,
      letters,
      firstRefusedAt: new Date(firstAtMs).toISOString(),
      lastRefusedAt: new Date(lastAtMs).toISOString(),
    }));
    printJson({ by, groups: rows, more });
    return;
  }
  if (groups.length === 0) {
    printLine(await noneSentence(pool, schema, { selection }));
    return;
  }
  const rows = groups.map((of) => [
    of.value ?? '-',
    grouped(of.letters),
    timeText(of.firstAtMs),
    timeText(of.lastAtMs),
  ]);
  printLine(tableOf([by, 'letters', 'first refused', 'last refused'], rows));
  const total = plural(
    groups.reduce((sum, of) => sum + of.letters, 0),
    'dead letter',
  );
  printLine(
    more ? `\n${total} in the groups shown; there are more groups: --limit shows more of them.` : `\n${total}.`,
  );
}
