// A version of the event schemas as plain data: the list of fields that is released as JSON and compared with later ones.
import { EVENT_TYPES } from '../event.ts';
import { fieldsByVersion } from './schema-version.ts';

import type { FieldKind, FieldShape } from '../field-kinds.ts';
import type { SchemaVersion } from './schema-version.ts';

export type PlainField = { readonly name: string; readonly required: boolean } & FieldShape;

/** `types`: the fields of each event type, in the order of their declaration. */
export type PlainSchema = {
  readonly version: number;
  readonly types: Readonly<Record<string, readonly PlainField[]>>;
};

/** Each version of a declaration as plain data. */
export function plainSchemas(versions: readonly SchemaVersion[]): PlainSchema[] {
  const types = EVENT_TYPES.map((type) => ({ type, fields: fieldsByVersion(versions, type) }));
  return versions.map(({ version }, index) => ({
    version,
    types: Object.fromEntries(types.map(({ type, fields }) => [type, plainFields(fields[index] ?? new Map())])),
  }));
}

function plainFields(fields: ReadonlyMap<string, FieldKind>): PlainField[] {
  const plain: PlainField[] = [];
  for (const [name, { required, shape }] of fields) plain.push({ name, required, ...shape });
  return plain;
}

/** The JSON text of a released version: a line a field, so that a change of one is a change of one line. */
export function plainSchemaJson({ version, types }: PlainSchema): string {
  const lists = Object.entries(types).map(
    ([type, fields]) =>
      `    ${JSON.stringify(type)}: [\n${fields.map((field) => `      ${JSON.stringify(field)}`).join(',\n')}\n    ]`,
  );
  return `{\n  "version": ${version},\n  "types": {\n${lists.join(',\n')}\n  }\n}\n`;
}
