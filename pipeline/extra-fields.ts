// The fields of a message that its event type does not know: kept word for word, so that no digit of theirs is lost.
import { named, shown } from './found.ts';
import { jsonMembers } from './json-members.ts';

import type { JsonMember } from './json-members.ts';
import type { Rejection } from './rejection.ts';

/** PostgreSQL's parser of jsonb goes down one stack frame a level. */
const MAX_NESTING = 100;
/** jsonb holds 131,072 digits before the point, and 1e131071 would be sent to every reader with all of them. */
const MAX_DIGITS = 1000;

/**
 * JSON text of the members of `json` whose names are not `known`, the last of each name as JSON.parse takes it, or null when there
 * are none; a rejection when jsonb cannot hold one of them. `json` must be what JSON.parse took for an object.
 */
export function extraFields(json: string, known: ReadonlyMap<string, unknown>): string | null | Rejection {
  const unknown = new Map<string, JsonMember>();
  for (const member of jsonMembers(json)) {
    if (!known.has(member.name)) unknown.set(member.name, member);
  }
  if (unknown.size === 0) return null;
  const parts: string[] = [];
  for (const member of unknown.values()) {
    const rejection = whyNotKept(member);
    if (rejection !== null) return rejection;
    parts.push(`${json.slice(member.start, member.keyEnd)}:${json.slice(member.valueStart, member.end)}`);
  }
  return `{${parts.join(',')}}`;
}

/** The name of the member that this place of `json` lies in. */
export function fieldAt(json: string, place: number): string | null {
  const member = jsonMembers(json).find(({ start, end }) => place >= start && place < end);
  return member === undefined ? null : shown(member.name);
}

function whyNotKept({ name, nesting, digits }: JsonMember): Rejection | null {
  if (nesting > MAX_NESTING) {
    const field = shown(name);
    const detail = `${named(field)} is nested ${nesting} levels deep; at most ${MAX_NESTING} levels belong there.`;
    return { reason: 'wrong_field', field, detail };
  }
  if (digits > MAX_DIGITS) {
    const field = shown(name);
    const length = Number.isFinite(digits) ? `${digits} digits long` : 'longer than can be counted';
    const detail = `${named(field)} holds a number that is ${length} without its exponent; at most ${MAX_DIGITS} digits belong there.`;
    return { reason: 'number_out_of_range', field, detail };
  }
  return null;
}
