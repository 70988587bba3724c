// What a run that was killed has left in PostgreSQL and Kafka: written down when it is made, cleared away by the next run.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

import { readJsonFile, writeJsonFile } from '../../local/json-file.ts';
import type { StackAddresses } from '../../local/stack.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { peersFolder } from './install.ts';
import { withPostgres } from './postgres.ts';
import { deleteTopicsOf } from './topics.ts';

const RecordShape = Type.Object({ runId: Type.String(), topic: Type.String(), schema: Type.String() });

const recordFile = (): string => join(peersFolder(), 'running.json');
const scratchFolder = (): string => join(peersFolder(), 'scratch');

/** Every schema of a run begins like this. */
export function schemaPrefix(runId: string): string {
  return `peers_${runId}_`;
}

/** A folder for one job's files. */
export function makeScratch(name: string): string {
  const folder = join(scratchFolder(), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Notes what a run is about to fill; one topic at a time. */
export function noteRun(made: Static<typeof RecordShape>): void {
  mkdirSync(peersFolder(), { recursive: true });
  writeJsonFile(recordFile(), made);
}

/** What was noted has been cleared away, or is left on purpose. */
export function forgetRun(): void {
  rmSync(recordFile(), { force: true });
}

/** Call it while no other run can be under way. */
export async function clearLeftovers(addresses: StackAddresses, report: (line: string) => void): Promise<void> {
  rmSync(scratchFolder(), { recursive: true, force: true });
  if (!existsSync(recordFile())) return;
  const record = readJsonFile(recordFile(), RecordShape);
  if (record === null) return;
  report(`Run ${record.runId} was killed; what it left is cleared away`);
  await withPostgres({ addresses }, async (db) => {
    const { rows } = await db.query<{ name: string }>(
      'select nspname::text as name from pg_namespace where starts_with(nspname, $1) or nspname = $2',
      [schemaPrefix(record.runId), record.schema],
    );
    for (const { name } of rows) await db.query(`drop schema if exists ${quoteSchema(name)} cascade`);
  });
  await deleteTopicsOf(addresses.kafka.brokers, record.topic);
  forgetRun();
}
