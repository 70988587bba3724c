// Changes of single members of a JSON object's text: what is not touched keeps every character, so numbers keep their digits.
import { jsonMembers } from './json-members.ts';
import type { JsonMember } from './json-members.ts';

/** What becomes of a member: another name, another value (JSON text), nothing of it, or (null) itself. */
type Change = { readonly name?: string; readonly value?: string } | 'removed' | null;

/** The text of a JSON object with the member `name` at this JSON text: the last one of that name, else a new one at the end. */
export function withMember(json: string, name: string, value: string): string {
  const last = jsonMembers(json).findLast((each) => each.name === name);
  if (last === undefined) return edited(json, () => null, [[name, value]]);
  return edited(json, ({ start }) => (start === last.start ? { value } : null));
}

/** The text of a JSON object with the members of the name `from` under the name `to`. */
export function withRenamed(json: string, from: string, to: string): string {
  return edited(json, ({ name }) => (name === from ? { name: to } : null));
}

/**
 * The text of a JSON object with exactly the members that `wanted` has (JSON text by name). Members that say what they said
 * keep their characters: who has parsed them saw their numbers as doubles, and would else write all of them anew.
 */
export function withMembers(json: string, wanted: ReadonlyMap<string, string>): string {
  const members = jsonMembers(json);
  // Of a name that is there twice, the last one counts.
  const counting = new Map(members.map((member) => [member.name, member]));
  const changeOf = ({ name, start }: JsonMember): Change => {
    const value = wanted.get(name);
    const counts = counting.get(name);
    if (value === undefined) return 'removed';
    if (counts?.start !== start || value === normal(json.slice(counts.valueStart, counts.end))) return null;
    return { value };
  };
  return edited(
    json,
    changeOf,
    [...wanted].filter(([name]) => !counting.has(name)),
  );
}

const normal = (text: string): string => JSON.stringify(JSON.parse(text));

/** In one pass, because a hostile message has a hundred thousand members. */
function edited(
  json: string,
  changeOf: (member: JsonMember) => Change,
  added: readonly (readonly [name: string, value: string])[] = [],
): string {
  const members = jsonMembers(json);
  const parts: string[] = [];
  let kept = 0;
  // Where the text before the next member begins, which is the comma and the space behind the one before it.
  let from = members[0]?.start ?? 0;
  for (const { start, keyEnd, valueStart, end, ...member } of members) {
    const change = changeOf({ start, keyEnd, valueStart, end, ...member });
    if (change !== 'removed') {
      const key = change?.name === undefined ? json.slice(start, keyEnd) : JSON.stringify(change.name);
      const value = change?.value ?? json.slice(valueStart, end);
      parts.push(kept === 0 ? '' : json.slice(from, start) || ',', key, json.slice(keyEnd, valueStart), value);
      kept += 1;
    }
    from = end;
  }
  for (const [name, value] of added) {
    parts.push(kept === 0 ? '' : ',', JSON.stringify(name), ':', value);
    kept += 1;
  }
  const opened = members[0]?.start ?? json.indexOf('{') + 1;
  const closes = members.at(-1)?.end ?? opened;
  return `${json.slice(0, opened)}${parts.join('')}${json.slice(closes)}`;
}
