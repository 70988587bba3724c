// Small files that outlive a process: read only when they have the expected shape, replaced in one step.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';

import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

/** The content of a JSON file, or null when it is absent, unfinished, or of another shape. */
export function readJsonFile<Shape extends TSchema>(path: string, shape: Shape): Static<Shape> | null {
  try {
    return parseJson(readFileSync(path, 'utf8'), shape);
  } catch {
    return null;
  }
}

/** The value in a JSON text, or null when it is no JSON or of another shape. */
export function parseJson<Shape extends TSchema>(text: string, shape: Shape): Static<Shape> | null {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(shape, value) ? value : null;
  } catch {
    return null;
  }
}

/** Replaces a JSON file so that a reader sees the old one or the new one. 0600: it may hold a password. */
export function writeJsonFile(path: string, value: unknown): void {
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}
