// What differs between two versions of the event schemas, field by field, and whether a later version may do that.
import type { FieldShape } from '../field-kinds.ts';
import type { PlainField, PlainSchema } from './plain-schema.ts';

/**
 * One difference. `eventType` "every": the same in all types that both versions have. `field` null: the type itself.
 * `compatible`: producers of the earlier version go on as they are, and what is stored keeps its meaning. `what` is read behind
 * the field: "takes google_pay besides".
 */
export type SchemaChange = {
  readonly eventType: string;
  readonly field: string | null;
  readonly change: 'added' | 'removed' | 'widened' | 'narrowed' | 'altered';
  readonly compatible: boolean;
  readonly what: string;
};

type Difference = Omit<SchemaChange, 'eventType' | 'field'>;

const widened = (what: string): Difference => ({ change: 'widened', compatible: true, what });
const narrowed = (what: string): Difference => ({ change: 'narrowed', compatible: false, what });
const altered = (what: string): Difference => ({ change: 'altered', compatible: false, what });

/** The differences from `before` to `after`, in the order of the types and their fields. */
export function changesBetween(before: PlainSchema, after: PlainSchema): SchemaChange[] {
  const types = [...new Set([...Object.keys(before.types), ...Object.keys(after.types)])];
  const changes = types.flatMap((eventType) => {
    const [was, is] = [before.types[eventType], after.types[eventType]];
    const place = { eventType, field: null };
    if (is === undefined) return [changeAt(place, removed('is gone'))];
    if (was === undefined) return [changeAt(place, added(`is new, with ${is.length} fields`))];
    return changesOfType(was, is).map(({ field, difference }) => changeAt({ eventType, field }, difference));
  });
  return mergedOverTypes(changes, types.filter((type) => before.types[type] && after.types[type]).length);
}

const removed = (what: string): Difference => ({ change: 'removed', compatible: false, what });
const added = (what: string): Difference => ({ change: 'added', compatible: true, what });

const changeAt = (place: Pick<SchemaChange, 'eventType' | 'field'>, difference: Difference): SchemaChange => ({
  ...place,
  ...difference,
});

type FieldDifference = { readonly field: string; readonly difference: Difference };

function changesOfType(before: readonly PlainField[], after: readonly PlainField[]): FieldDifference[] {
  const wasThere = new Set(before.map(({ name }) => name));
  const isThere = new Map(after.map((field) => [field.name, field]));
  const fresh = after.filter(({ name }) => !wasThere.has(name));
  const changes = before.flatMap((was): FieldDifference[] => {
    const field = was.name;
    const is = isThere.get(field);
    if (is !== undefined) return changesOfField(was, is).map((difference) => ({ field, difference }));
    const renamed = fresh.find((one) => one.required === was.required && sameShape(one, was));
    return [{ field, difference: removed(renamed ? `is gone, or renamed to ${renamed.name}` : 'is gone') }];
  });
  return [...changes, ...fresh.map((field) => ({ field: field.name, difference: freshField(field) }))];
}

function freshField(field: PlainField): Difference {
  if (!field.required) return added(`is new and may be absent: ${shapeText(field)}`);
  return { ...added(`is new and required: ${shapeText(field)}`), compatible: false };
}

function changesOfField(was: PlainField, is: PlainField): Difference[] {
  const presence: Difference[] = [];
  if (is.required && !was.required) presence.push(narrowed('is required now'));
  if (was.required && !is.required) presence.push(altered('may be absent now, and readers count on it'));
  return [...presence, ...changesOfShape(was, is)];
}

function changesOfShape(was: FieldShape, is: FieldShape): Difference[] {
  if (was.kind !== is.kind) return [altered(`was ${shapeText(was)} and is ${shapeText(is)}`)];
  const changes: Difference[] = [];
  const values = { was: new Set(was.values ?? []), is: new Set(is.values ?? []) };
  const gone = [...values.was].filter((value) => !values.is.has(value));
  const fresh = [...values.is].filter((value) => !values.was.has(value));
  if (gone.length > 0) changes.push(narrowed(`takes ${gone.join(', ')} no more`));
  if (fresh.length > 0) changes.push(widened(`takes ${fresh.join(', ')} besides`));
  for (const limit of LIMITS) {
    const [from, to] = [was[limit.name] ?? limit.without, is[limit.name] ?? limit.without];
    if (from === to) continue;
    const wider = limit.wider === 'down' ? to < from : to > from;
    const what = `has ${numberText(to)} as its ${limit.words} instead of ${numberText(from)}`;
    changes.push(wider ? widened(what) : narrowed(what));
  }
  if (was.orNull && !is.orNull) changes.push(narrowed('may be null no more'));
  if (is.orNull && !was.orNull) changes.push(widened('may be null besides'));
  if (was.element && is.element) {
    for (const { change, compatible, what } of changesOfShape(was.element, is.element)) {
      changes.push({ change, compatible, what: `in each element ${what}` });
    }
  }
  return changes;
}

/** Which way each limit gets wider, and what a field without it allows. */
const LIMITS = [
  { name: 'minimum', wider: 'down', without: -Infinity, words: 'minimum' },
  { name: 'maximum', wider: 'up', without: Infinity, words: 'maximum' },
  { name: 'minLength', wider: 'down', without: 0, words: 'minimum length' },
  { name: 'maxLength', wider: 'up', without: Infinity, words: 'maximum length' },
  { name: 'decimals', wider: 'up', without: Infinity, words: 'number of decimals' },
] as const;

const numberText = (limit: number): string => (Number.isFinite(limit) ? String(limit) : 'nothing');

const sameShape = (one: FieldShape, other: FieldShape): boolean =>
  one.kind === other.kind && changesOfShape(one, other).length === 0;

/** A shape in a few words: "text of at most 512 characters". */
export function shapeText({ kind, values, element, orNull, ...limits }: FieldShape): string {
  if (kind === 'one of') return `one of ${(values ?? []).join(', ')}`;
  if (kind === 'flag') return 'true or false';
  const [least, most] = [limits.minimum ?? limits.minLength, limits.maximum ?? limits.maxLength];
  const unit = kind === 'text' ? ' characters' : '';
  let range = '';
  if (least !== undefined && most !== undefined) range = ` of ${least} to ${most}${unit}`;
  else if (most !== undefined) range = ` of at most ${most}${unit}`;
  else if (least !== undefined) range = ` of ${least} or more${unit}`;
  return `${kind}${range}${element ? `, each a ${shapeText(element)}` : ''}${orNull ? ', or null' : ''}`;
}

/** What is the same in each of several types is said once. */
function mergedOverTypes(changes: readonly SchemaChange[], typeCount: number): SchemaChange[] {
  const alike = new Map<string, number>();
  const keyOf = ({ field, change, what }: SchemaChange): string => JSON.stringify([field, change, what]);
  for (const change of changes) alike.set(keyOf(change), (alike.get(keyOf(change)) ?? 0) + 1);
  const isEvery = (change: SchemaChange): boolean =>
    change.field !== null && typeCount > 1 && alike.get(keyOf(change)) === typeCount;
  const said = new Set<string>();
  return changes.flatMap((change) => {
    if (!isEvery(change)) return [change];
    if (said.has(keyOf(change))) return [];
    said.add(keyOf(change));
    return [{ ...change, eventType: 'every' }];
  });
}
