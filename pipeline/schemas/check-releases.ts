// Whether the declared versions may go out beside the released ones: what is released stays, and what follows only widens.
import { changesBetween } from './schema-changes.ts';

import type { PlainSchema } from './plain-schema.ts';
import type { SchemaChange } from './schema-changes.ts';

/**
 * Everything that stands against it, a sentence each; empty when nothing does. A released version must be declared as it was
 * released; each version may, against the one before it, only add optional fields and event types, and widen fields.
 */
export function releaseFaults(declared: readonly PlainSchema[], released: readonly PlainSchema[]): string[] {
  const faults: string[] = [];
  for (const [index, { version }] of declared.entries()) {
    if (version !== index + 1)
      faults.push(`Version ${version} is declared as number ${index + 1}; number the versions from 1 without a gap.`);
  }
  for (const before of released) {
    const now = declared.find(({ version }) => version === before.version);
    if (now === undefined) {
      faults.push(
        `Version ${before.version} is released and not declared any more; events of it are stored, so keep it.`,
      );
      continue;
    }
    for (const change of changesBetween(before, now)) {
      faults.push(
        `Version ${before.version} is released, and ${placeOf(change)} ${change.what}; declare that as a new version instead.`,
      );
    }
  }
  for (const [index, after] of declared.entries()) {
    const before = declared[index - 1];
    if (before === undefined) continue;
    for (const change of changesBetween(before, after)) {
      if (change.compatible) continue;
      faults.push(
        `In version ${after.version} ${placeOf(change)} ${change.what}; a new version may only add optional fields and widen what there is.`,
      );
    }
  }
  return faults;
}

/** "purchase.coupon_code", or the type alone. */
export function placeOf({ eventType, field }: SchemaChange): string {
  return field === null ? eventType : `${eventType}.${field}`;
}

/** The declared versions that are not released yet. */
export function unreleased(declared: readonly PlainSchema[], released: readonly PlainSchema[]): PlainSchema[] {
  return declared.filter(({ version }) => !released.some((one) => one.version === version));
}
