// A version of the event schemas: nothing but its difference to the version before it. Everything else is derived.
import { must } from '../ensure.ts';

import type { EventFields, EventType } from '../event.ts';
import type { FieldKind } from '../field-kinds.ts';

/** Only names of `EventFields`: who declares a field also says there what ingestion will hold. */
type Fields = Readonly<Partial<Record<keyof EventFields, FieldKind>>>;

/** By event type; `every`: the same for all of them. */
type ByType<T> = Readonly<Partial<Record<EventType | 'every', T>>>;

/**
 * `adds`: fields that the version before does not know; from version 2 on they are optional (`kinds.optional`). `widens`:
 * what a field takes besides. What else may change is decided by check-releases.ts: nothing.
 */
export type SchemaVersion = {
  readonly version: number;
  readonly adds: ByType<Fields>;
  readonly widens: ByType<Readonly<Partial<Record<keyof EventFields, (before: FieldKind) => FieldKind>>>>;
};

/** The fields of an event type in each of these versions, in the order of their declaration. */
export function fieldsByVersion(
  versions: readonly SchemaVersion[],
  type: EventType,
): readonly ReadonlyMap<string, FieldKind>[] {
  let fields: ReadonlyMap<string, FieldKind> = new Map();
  return versions.map(({ version, adds, widens }) => {
    const next = new Map([...fields, ...Object.entries({ ...adds.every, ...adds[type] })]);
    for (const [name, widen] of Object.entries({ ...widens.every, ...widens[type] })) {
      next.set(name, widen(must(next.get(name), `the field ${type}.${name} that version ${version} widens`)));
    }
    fields = next;
    return next;
  });
}
