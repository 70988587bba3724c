// All faults, by name.
import type { Fault } from './fault.ts';
import { KAFKA_FAULTS } from './kafka-faults.ts';
import { KAFKA_LINE_FAULTS } from './kafka-line-faults.ts';
import { LONG_OUTAGE_FAULTS } from './long-outage-faults.ts';
import { LOST_RANGE_FAULT } from './lost-range-fault.ts';
import { POSTGRES_CONFLICT_FAULTS } from './postgres-conflict-faults.ts';
import { POSTGRES_FAULTS } from './postgres-faults.ts';
import { POSTGRES_STATE_FAULTS } from './postgres-state-faults.ts';
import { TEMPORAL_FAULTS } from './temporal-faults.ts';
import { WORKER_FAULTS } from './worker-faults.ts';

/** What a run injects unless it is told otherwise. */
export const FAULTS: readonly Fault[] = [
  ...WORKER_FAULTS,
  ...POSTGRES_FAULTS,
  ...POSTGRES_CONFLICT_FAULTS,
  ...POSTGRES_STATE_FAULTS,
  ...KAFKA_FAULTS,
  ...KAFKA_LINE_FAULTS,
  LOST_RANGE_FAULT,
  ...TEMPORAL_FAULTS,
];

/** The faults of these names, also those that only come by name. Throws one sentence that lists all names. */
export function faultsNamed(names: readonly string[]): Fault[] {
  const all = [...FAULTS, ...LONG_OUTAGE_FAULTS];
  return names.map((name) => {
    const fault = all.find((one) => one.name === name.trim());
    if (fault) return fault;
    throw new Error(`There is no fault "${name}"; there are: ${all.map((one) => one.name).join(', ')}.`);
  });
}
