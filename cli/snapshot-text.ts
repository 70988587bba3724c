// What the commands about snapshots take in common, and how they show one.
import type { SettingName } from '../pipeline/setting-table.ts';
import type { CopyProgress } from '../postgres/copied-tables.ts';
import type { Snapshot } from '../postgres/snapshots.ts';
import { grouped } from './output.ts';
import { progressBar } from './progress-line.ts';

/** The settings of every command about snapshots. */
export const SNAPSHOT_SETTINGS: readonly SettingName[] = ['schema', 'home', 'postgresUrl', 'logLevel'];

const MIB = 1_048_576;

/** `0.4 MiB` */
export const mibText = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

export function copyBar({ table, done, of }: CopyProgress): string {
  return `${progressBar('Copying MiB', done / MIB, of / MIB)} ${table}`;
}

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** All rows of a snapshot's tables. */
export const rowsOf = ({ tables }: Snapshot): number => tables.reduce((sum, { rows }) => sum + rows, 0);

/** One snapshot of `--json`. Offsets are decimal strings. */
export const snapshotJson = (snapshot: Snapshot) => ({
  name: snapshot.name,
  schema: snapshot.schema,
  storedIn: snapshot.home,
  version: snapshot.version,
  takenAt: isoOrNull(snapshot.takenAtMs),
  topic: snapshot.topic,
  closedThrough: isoOrNull(snapshot.closedThroughMs),
  resultsThrough: isoOrNull(snapshot.writtenThroughMs),
  partitions: snapshot.partitions,
  rows: Object.fromEntries(snapshot.tables.map(({ name, rows }) => [name, rows])),
  bytes: snapshot.bytes,
});

/** `6 partitions at offset 94,374 in all`, or what is there instead. */
export function positionText({ topic, partitions }: Snapshot): string {
  if (topic === null) return 'nothing ingested yet';
  const offsets = partitions.map(({ partition, nextOffset }) => `${partition}:${grouped(Number(nextOffset))}`);
  return `topic ${topic} at offsets ${offsets.join(' ')}`;
}
