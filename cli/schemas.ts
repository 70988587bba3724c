// `weir schemas`: the versions of the event schemas, what each takes, what changed between them, and the release of a new one.
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';

import { NEWEST_VERSION } from '../pipeline/event-schemas.ts';
import { placeOf, releaseFaults, unreleased } from '../pipeline/schemas/check-releases.ts';
import { plainSchemas } from '../pipeline/schemas/plain-schema.ts';
import type { PlainSchema } from '../pipeline/schemas/plain-schema.ts';
import { changesBetween, shapeText } from '../pipeline/schemas/schema-changes.ts';
import type { SchemaChange } from '../pipeline/schemas/schema-changes.ts';
import { VERSIONS } from '../pipeline/schemas/versions.ts';
import { createCommand } from './command.ts';
import { CliFailure } from './failure.ts';
import { plural, printJson, printLine, styled, tableOf } from './output.ts';
import { readReleasedSchemas, writeReleasedSchema } from './released-schemas.ts';

const DECLARED = plainSchemas(VERSIONS);

/** The group of commands. */
export function schemasCommand(): Command {
  return createCommand({
    name: 'schemas',
    summary: 'versions of the event schemas: list, show, compare, release',
    more: 'A message says its version in schema_version; without that it is of version 1. All known versions are read side by side.',
    examples: [['weir schemas diff', 'what the newest version changed']],
  })
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(diffCommand())
    .addCommand(releaseCommand());
}

type Flags = { readonly json?: boolean };

function listCommand(): Command {
  return createCommand({
    name: 'list',
    summary: 'the versions that this build knows, and whether they are released',
    examples: [['weir schemas list --json', 'the same for programs']],
  })
    .option('--json', 'print JSON')
    .action(({ json }: Flags) => {
      const fresh = new Set(unreleased(DECLARED, readReleasedSchemas()));
      const versions = DECLARED.map((schema, index) => {
        const before = DECLARED[index - 1];
        const changes = before ? changesBetween(before, schema) : [];
        return { version: schema.version, released: !fresh.has(schema), changes };
      });
      if (json) {
        printJson({ versions });
        return;
      }
      const rows = versions.map(({ version, released, changes }) => [
        String(version),
        released ? 'yes' : 'no',
        changes.length === 0
          ? plural(Object.keys(schemaOf(version).types).length, 'event type')
          : changes.map(sentence).join('; '),
      ]);
      printLine(tableOf(['version', 'released', 'what it brought'], rows));
    });
}

function showCommand(): Command {
  return createCommand({
    name: 'show',
    summary: 'every field of a version: what belongs there, and whether it may be absent',
    examples: [['weir schemas show 1', 'what messages without schema_version must look like']],
  })
    .argument('[version]', `version to show (default ${NEWEST_VERSION})`, versionNumber, NEWEST_VERSION)
    .option('--json', 'print JSON, as it is released')
    .action((version: number, { json }: Flags) => {
      const schema = schemaOf(version);
      if (json) {
        printJson(schema);
        return;
      }
      printLine(tableOf(['event type', 'field', '', 'what belongs there'], fieldRows(schema)));
    });
}

function diffCommand(): Command {
  return createCommand({
    name: 'diff',
    summary: 'what differs from one version to another',
    examples: [
      ['weir schemas diff', `what version ${NEWEST_VERSION} changed`],
      ['weir schemas diff 1 2 --json', 'from version 1 to version 2, for programs'],
    ],
  })
    .argument('[from]', 'version to begin with (default: the one before TO)', versionNumber)
    .argument('[to]', `version to compare it with (default ${NEWEST_VERSION})`, versionNumber, NEWEST_VERSION)
    .option('--json', 'print JSON')
    .action((given: number | undefined, to: number, { json }: Flags) => {
      const from = given ?? Math.max(1, to - 1);
      const changes = changesBetween(schemaOf(from), schemaOf(to));
      if (json) printJson({ from, to, changes });
      else if (changes.length === 0) printLine(`Versions ${from} and ${to} take the same messages.`);
      else printChanges(`From version ${from} to version ${to}:`, changes);
    });
}

function releaseCommand(): Command {
  return createCommand({
    name: 'release',
    summary: 'keep the newest declared version as JSON in the source, from where on it may not change any more',
    more: 'Refused when a version is incompatible with the one before it, or a released one was changed. Commit the file.',
    examples: [['weir schemas release', 'after a version was added to pipeline/schemas/']],
  })
    .option('--json', 'print JSON')
    .action(({ json }: Flags) => {
      const released = readReleasedSchemas();
      const faults = releaseFaults(DECLARED, released);
      if (faults.length > 0) {
        throw new CliFailure(`Nothing was released. ${faults.join(' ')}`, { exitCode: 1 });
      }
      const paths = unreleased(DECLARED, released).map((schema) => writeReleasedSchema(schema));
      if (json) printJson({ newest: NEWEST_VERSION, written: paths });
      else if (paths.length === 0) printLine(`Version ${NEWEST_VERSION} is released already.`);
      else for (const path of paths) printLine(`Released: ${path}`);
    });
}

function printChanges(heading: string, changes: readonly SchemaChange[]): void {
  printLine(heading);
  for (const change of changes) {
    const mark = { added: '+', removed: '-', widened: '~', narrowed: '!', altered: '!' }[change.change];
    const style = change.compatible ? 'green' : 'red';
    printLine(`  ${styled(style, mark)} ${sentence(change)}${change.compatible ? '' : ' (incompatible)'}`);
  }
}

/** A row a field; the fields that are the same in all event types come once, first. */
function fieldRows({ types }: PlainSchema): string[][] {
  const told = Object.entries(types).flatMap(([type, fields]) =>
    fields.map((field) => ({
      type,
      rest: [field.name, field.required ? 'required' : 'optional', shapeText(field)],
    })),
  );
  const times = new Map<string, number>();
  for (const { rest } of told) times.set(rest.join(), (times.get(rest.join()) ?? 0) + 1);
  const rows = new Map<string, string[]>();
  for (const { type, rest } of told) {
    const whose = times.get(rest.join()) === Object.keys(types).length ? 'every' : type;
    rows.set([whose, ...rest].join(), [whose, ...rest]);
  }
  return [...rows.values()];
}

const sentence = (change: SchemaChange): string => `${placeOf(change)} ${change.what}`;

function schemaOf(version: number): PlainSchema {
  const schema = DECLARED.find((each) => each.version === version);
  if (schema === undefined) {
    throw new CliFailure(
      `There is no version ${version} of the event schemas; this build knows 1 to ${NEWEST_VERSION}.`,
    );
  }
  return schema;
}

function versionNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A version is a whole number.');
  return Number(text);
}
