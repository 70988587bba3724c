// A pipeline of a test's own with nothing but its tables: events are put in by hand, windows closed by hand.
import { randomUUID } from 'node:crypto';

import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { freshDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';

export type WindowedPipeline = TestDatabase & { readonly spec: PipelineSpec };

/** A freshly migrated schema and the spec of a topic that nobody else uses. */
export async function windowedPipeline(): Promise<WindowedPipeline> {
  const database = await freshDatabase();
  const spec: PipelineSpec = {
    topic: `topic-${randomUUID()}`,
    schema: database.schema,
    latenessMs: 300_000,
    idleAfterMs: 30_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 10_000,
    retentionMs: null,
  };
  return { ...database, spec };
}

/** Both steps of a close, up to `through` (ISO text). */
export async function closeThrough(
  { pool, spec }: WindowedPipeline,
  through: string,
): ReturnType<typeof closeNextPanes> {
  await moveClosedThrough(pool, spec, Date.parse(through));
  return await closeNextPanes(pool, spec, { throughMs: Date.parse(through) });
}
