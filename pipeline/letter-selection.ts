// A selection of dead letters: which ones are meant when somebody lists, replays or discards. Plain JSON, so that workflows take it.
import { LETTER_STATUSES } from './dead-letter.ts';
import type { LetterStatus } from './dead-letter.ts';
import { messageOf } from './ensure.ts';
import { parseMoment } from './moment.ts';
import { REJECTION_REASONS } from './rejection.ts';
import type { RejectionReason } from './rejection.ts';

/**
 * A letter is meant when each filter that is given takes it. An empty list and null take every letter. In `fields` and `types`,
 * null stands for letters that name none. `sinceMs` and `untilMs` (excluded) are about the time of the refusal, epoch ms.
 */
export type LetterSelection = {
  /** Decimal strings. */
  readonly ids: readonly string[];
  readonly reasons: readonly RejectionReason[];
  readonly fields: readonly (string | null)[];
  readonly types: readonly (string | null)[];
  readonly partitions: readonly number[];
  readonly statuses: readonly LetterStatus[];
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** Its bytes in UTF-8 are somewhere in the value or in the key. */
  readonly text: string | null;
};

/** What a letter can be counted by. */
export const LETTER_GROUPS = ['reason', 'field', 'type', 'partition', 'status', 'hour'] as const;
export type LetterGroup = (typeof LETTER_GROUPS)[number];

/** Filters as they were written; absent ones take every letter. "-" as field or type: letters that name none. */
export type WrittenFilters = {
  readonly ids?: readonly string[] | undefined;
  readonly reason?: readonly string[] | undefined;
  readonly field?: readonly string[] | undefined;
  readonly type?: readonly string[] | undefined;
  readonly partition?: readonly string[] | undefined;
  readonly status?: readonly string[] | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly text?: string | undefined;
};

/** Some filters could not be understood. `problems` has one sentence for each, all of them at once. */
export class SelectionError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SelectionError';
    this.problems = problems;
  }
}

const LARGEST_ID = 9_223_372_036_854_775_807n;
const LARGEST_PARTITION = 2_147_483_647;

/** Reads the filters; times such as "2h" count back from `nowMs`. Throws one SelectionError that lists every problem. */
export function selectLetters(written: WrittenFilters, nowMs: number): LetterSelection {
  const problems: string[] = [];
  const each = <T>(texts: readonly string[] | undefined, flag: string, read: (text: string) => T): T[] => {
    const values = (texts ?? []).flatMap((text) => {
      const value = attempt(() => read(text), `${flag}: `, problems);
      return value === null ? [] : [value.read];
    });
    return [...new Set(values)];
  };
  const moment = (text: string | undefined, flag: string): number | null =>
    text === undefined ? null : (attempt(() => parseMoment(text, nowMs), `${flag}: `, problems)?.read ?? null);
  const selection: LetterSelection = {
    ids: each(written.ids, 'ID', readId),
    reasons: each(written.reason, '--reason', (text) => oneOf(REJECTION_REASONS, text, 'reason')),
    fields: each(written.field, '--field', readName),
    types: each(written.type, '--type', readName),
    partitions: each(written.partition, '--partition', readPartition),
    statuses: each(written.status, '--status', (text) => oneOf(LETTER_STATUSES, text, 'status')),
    sinceMs: moment(written.since, '--since'),
    untilMs: moment(written.until, '--until'),
    text: written.text ?? null,
  };
  const { sinceMs, untilMs, text } = selection;
  if (sinceMs !== null && untilMs !== null && sinceMs >= untilMs)
    problems.push('--since and --until: the first is not before the second, so no letter lies between them.');
  if (text === '') problems.push('--text: it is empty, which every letter contains; leave it out.');
  if (problems.length > 0) throw new SelectionError(problems);
  return selection;
}

/** Whether any filter is given. */
export function selectsEveryLetter(selection: LetterSelection): boolean {
  return describeSelection(selection) === '';
}

/** The filters in words, "" where none is given: "reason not_json or bad_uuid, partition 3, since 2026-11-23T10:00:00.000Z". */
export function describeSelection(selection: LetterSelection): string {
  const { ids, reasons, fields, types, partitions, statuses, sinceMs, untilMs, text } = selection;
  const words = (name: string, values: readonly (string | number | null)[]): string[] =>
    values.length === 0 ? [] : [`${name} ${values.map((value) => value ?? 'none').join(' or ')}`];
  return [
    ...words('id', ids),
    ...words('status', statuses),
    ...words('reason', reasons),
    ...words('field', fields),
    ...words('type', types),
    ...words('partition', partitions),
    ...(sinceMs === null ? [] : [`since ${new Date(sinceMs).toISOString()}`]),
    ...(untilMs === null ? [] : [`until ${new Date(untilMs).toISOString()}`]),
    ...(text === null ? [] : [`with the text ${JSON.stringify(text)}`]),
  ].join(', ');
}

function attempt<T>(read: () => T, before: string, problems: string[]): { readonly read: T } | null {
  try {
    return { read: read() };
  } catch (thrown) {
    problems.push(`${before}${messageOf(thrown)}.`);
    return null;
  }
}

function readId(text: string): string {
  if (!/^\d{1,19}$/.test(text) || BigInt(text) < 1n || BigInt(text) > LARGEST_ID) {
    throw new Error(`"${text}" is no number of a letter; \`weir dead-letters list\` shows them in its first column`);
  }
  return String(BigInt(text));
}

function readPartition(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > LARGEST_PARTITION) {
    throw new Error(`"${text}" is no number of a partition`);
  }
  return Number(text);
}

function readName(text: string): string | null {
  if (text === '') throw new Error('it is empty; write - for letters that name none');
  return text === '-' ? null : text;
}

function oneOf<T extends string>(all: readonly T[], text: string, what: string): T {
  const found = all.find((one) => one === text);
  if (found === undefined) throw new Error(`"${text}" is no ${what}; there are ${all.join(', ')}`);
  return found;
}
