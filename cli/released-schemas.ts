// The released versions of the event schemas, as they lie in the source: one JSON file a version, never changed again.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { plainSchemaJson } from '../pipeline/schemas/plain-schema.ts';
import type { PlainSchema } from '../pipeline/schemas/plain-schema.ts';

export const RELEASED_FOLDER = fileURLToPath(new URL('../pipeline/schemas/released/', import.meta.url));

/** Every released version, oldest first. */
export function readReleasedSchemas(folder = RELEASED_FOLDER): PlainSchema[] {
  return readdirSync(folder)
    .filter((name) => /^v\d+\.json$/.test(name))
    .map((name): PlainSchema => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    .toSorted((one, other) => one.version - other.version);
}

/** Writes the file of a version and returns its path. Throws when the version has one. */
export function writeReleasedSchema(schema: PlainSchema, folder = RELEASED_FOLDER): string {
  const path = join(folder, `v${schema.version}.json`);
  writeFileSync(path, plainSchemaJson(schema), { flag: 'wx' });
  return path;
}
