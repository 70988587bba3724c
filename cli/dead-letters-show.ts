// `weir dead-letters show`: one dead letter with everything that is known of it, or its exact bytes.
import type { Command } from 'commander';

import type { DeadLetter } from '../pipeline/dead-letter.ts';
import { must } from '../pipeline/ensure.ts';
import { findFault } from '../pipeline/letter-fault.ts';
import { selectLetters } from '../pipeline/letter-selection.ts';
import { formatOffset } from '../pipeline/offset.ts';
import { isPlain } from '../pipeline/readable-bytes.ts';
import { readLetter } from '../postgres/letter.ts';
import { createCommand, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { letterLines } from './letter-text.ts';
import { printJson, printLine, printProgress } from './output.ts';
import { withPool } from './with-servers.ts';

type Flags = {
  readonly hex?: boolean;
  readonly full?: boolean;
  readonly raw?: boolean;
  readonly rawKey?: boolean;
  readonly json?: boolean;
};

/** The command. */
export function showLetterCommand(): Command {
  return createCommand({
    name: 'show',
    summary: 'one dead letter: where it is from, why it was refused and where it is wrong, its headers, key and value',
    more: 'What is no text is shown as \\xff (a byte that is no UTF-8) or \\u{1b} (a character that a terminal would obey).',
    examples: [
      ['weir dead-letters show 17', 'with the place of the fault marked under the line'],
      ['weir dead-letters show 17 --raw > value.json', 'the bytes of the value, exactly as Kafka had them'],
      ['weir dead-letters show 17 --json', 'everything for programs; bytes in base64'],
    ],
    settings: ['schema', 'home', 'postgresUrl', 'logLevel'],
  })
    .argument('<letter>', 'number of the letter')
    .option('--hex', 'key and value as hex dumps')
    .option('--full', 'do not cut long values')
    .option('--raw', 'write the exact bytes of the value and nothing else')
    .option('--raw-key', 'write the exact bytes of the key and nothing else')
    .option('--json', 'print JSON')
    .action(async (written: string, flags: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      const [id] = selectLetters({ ids: [written] }, 0).ids;
      const letter = await withPool(
        settings,
        async (pool) => await readLetter(pool, settings.schema, must(id, 'the number of a letter')),
      );
      if (letter === null) {
        throw new CliFailure(
          `There is no dead letter ${id} in schema ${settings.schema}; \`weir dead-letters list\` shows those there are.`,
        );
      }
      print(letter, flags);
    });
}

function print(letter: DeadLetter, { raw, rawKey, json, hex, full }: Flags): void {
  if (raw) writeRaw('value', letter.value);
  else if (rawKey) writeRaw('key', letter.key);
  else if (json) printJson(letterJson(letter));
  else for (const line of letterLines(letter, { hex: hex ?? false, full: full ?? false })) printLine(line);
}

function writeRaw(name: string, bytes: Buffer | null): void {
  if (bytes === null) {
    printProgress(`weir: the ${name} is null, which has no bytes.`);
    return;
  }
  if (process.stdout.isTTY && !isPlain(bytes)) {
    throw new CliFailure(
      `The ${name} holds bytes that a terminal would obey or not show; write them to a file (> ${name}.bin) or look at them with --hex.`,
    );
  }
  process.stdout.write(bytes);
}

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** Offsets and ids are decimal strings, bytes are base64. */
function letterJson(letter: DeadLetter): unknown {
  const base64 = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null;
  const fault = findFault(letter);
  return {
    id: letter.id,
    partition: letter.partition,
    offset: formatOffset(letter.offset),
    kafkaTimestamp: time(letter.kafkaTimestampMs),
    refusedAt: time(letter.refusedAtMs),
    reason: letter.reason,
    field: letter.field,
    detail: letter.detail,
    fault: fault && {
      line: fault.line,
      column: fault.column,
      fromByte: fault.fromByte,
      toByte: fault.toByte,
      says: fault.says,
    },
    status: letter.status,
    sentAt: time(letter.sentAtMs),
    closedAt: time(letter.closedAtMs),
    ...publicationJson(letter),
    note: letter.note,
    event: letter.event && { id: letter.event.id, at: time(letter.event.atMs) },
    attempt: letter.attempt,
    parent: letter.parent,
    children: letter.children,
    // nameBytes: of a name that is no UTF-8.
    headers: letter.headers.map(({ name, value, nameBytes }) => ({
      name,
      value: base64(value),
      nameBytes: nameBytes?.toString('base64'),
    })),
    key: base64(letter.key),
    value: base64(letter.value),
  };
}

function publicationJson({ publishedAtMs }: DeadLetter): { publication: string; publishedAt: string | null } {
  if (publishedAtMs === null) return { publication: 'waiting', publishedAt: null };
  if (publishedAtMs === 'refused by Kafka') return { publication: publishedAtMs, publishedAt: null };
  return { publication: 'published', publishedAt: time(publishedAtMs) };
}
