// A repair: what is changed in dead letters before they are sent again. Plain JSON, so that workflows take it.
import { messageOf } from './ensure.ts';
import { shown } from './found.ts';
import { withMember, withRenamed } from './json-edit.ts';
import { jsonMembers } from './json-members.ts';
import { firstBadByte } from './text-faults.ts';

/** `set`: the field gets this JSON text as its value, wherever it is or is not. `rename`: a field, where there is one, gets another name. */
export type RepairStep =
  | { readonly kind: 'set'; readonly field: string; readonly json: string }
  | { readonly kind: 'rename'; readonly field: string; readonly to: string };

/** The steps one after another, then the transform: JavaScript that exports a function by default, null where there is none. */
export type Repair = { readonly steps: readonly RepairStep[]; readonly transform: string | null };

/** A value after its steps, or why they cannot be taken: a sentence about the letter without a full stop. */
type Stepped = { readonly value: Buffer } | { readonly why: string };

/** Reads `FIELD=VALUE`: a value that is JSON is taken as that, digit for digit; anything else is text. Throws what is wrong. */
export function parseSet(written: string): RepairStep {
  const [field, value] = halves(written, 'field=value');
  return { kind: 'set', field, json: isJson(value) ? value.trim() : JSON.stringify(value) };
}

/** Reads `OLD=NEW`. Throws what is wrong. */
export function parseRename(written: string): RepairStep {
  const [field, to] = halves(written, 'old=new');
  if (to === '') throw new Error(`"${written}" has no new name behind the =`);
  if (to === field) throw new Error(`"${written}" gives a field the name that it has`);
  return { kind: 'rename', field, to };
}

function halves(written: string, form: string): [string, string] {
  const at = written.indexOf('=');
  if (at < 1) throw new Error(`"${written}" is not of the form ${form}`);
  return [written.slice(0, at), written.slice(at + 1)];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The repair in words: "device set to "mobile", userId renamed to user_id, transformed"; "" where nothing is changed. */
export function describeRepair({ steps, transform }: Repair): string {
  const words = steps.map((step) =>
    step.kind === 'set' ? `${step.field} set to ${step.json}` : `${step.field} renamed to ${step.to}`,
  );
  return [...words, ...(transform === null ? [] : ['transformed'])].join(', ');
}

/** The value after the steps; the very same bytes where none of them changes anything. */
export function takeSteps(value: Buffer | null, steps: readonly RepairStep[]): Stepped {
  if (value === null) return { why: 'it has no value (null)' };
  const read = jsonObjectIn(value);
  if ('why' in read) return read;
  let json = read.json;
  for (const step of steps) {
    if (step.kind === 'set') {
      json = withMember(json, step.field, step.json);
      continue;
    }
    const names = new Set(jsonMembers(json).map(({ name }) => name));
    if (!names.has(step.field)) continue;
    if (names.has(step.to)) return { why: `it has both ${shown(step.field)} and ${shown(step.to)}` };
    json = withRenamed(json, step.field, step.to);
  }
  return { value: json === read.json ? value : Buffer.from(json) };
}

/** The text of a value that is a JSON object, or why it is none. */
export function jsonObjectIn(value: Buffer): { readonly json: string } | { readonly why: string } {
  const json = value.toString('utf8');
  if (json.includes('\uFFFD') && firstBadByte(value, json) !== -1) return { why: 'its value is not UTF-8' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    return { why: value.length === 0 ? 'its value is empty' : `its value is not JSON (${shown(messageOf(error))})` };
  }
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  return isObject ? { json } : { why: 'its value is JSON, but not an object' };
}
