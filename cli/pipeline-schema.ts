// Which schema a command may act on: that of a topic's pipeline, and of the one that runs, because there it would be done.
import type pg from 'pg';

import { pipelineId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Settings } from '../pipeline/settings.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { readRestored, refuseRestored } from '../postgres/restored-schema.ts';
import { CliFailure } from './failure.ts';
import { runningMemo } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';
import { withPool } from './with-servers.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/** Throws where the schema was restored from a snapshot, or holds nothing that was read of the topic. */
export async function mustHoldPipeline(pool: pg.Pool, { schema, topic }: Where): Promise<void> {
  await refuseRestored(pool, schema);
  if ((await readCheckpoints(pool, { schema, topic })).length > 0) return;
  throw new CliFailure(
    `Schema ${schema} has read nothing of topic ${topic}; name the schema and the topic of one pipeline (WEIR_SCHEMA, WEIR_TOPIC).`,
  );
}

/** Throws where the pipeline of the topic runs and writes into another schema than the one given. */
export async function refuseOtherSchema({ client }: Control, { schema, topic }: Where): Promise<void> {
  const memo = await runningMemo(client, pipelineId(topic));
  const spec: Partial<PipelineSpec> = memo?.['spec'] ?? {};
  if (spec.schema === undefined || spec.schema === schema) return;
  throw new CliFailure(
    `The pipeline of topic ${topic} writes into schema ${spec.schema}, and schema ${schema} was given; name its own (--schema ${spec.schema} or WEIR_SCHEMA), or another topic (WEIR_TOPIC).`,
  );
}

/** Both, for what acts on the workflows of the pipeline that runs. */
export async function mustBeItsSchema(control: Control, settings: Settings): Promise<void> {
  await withPool(settings, async (pool) => await mustHoldPipeline(pool, settings));
  await refuseOtherSchema(control, settings);
}

/** The snapshot that a schema was restored from, and the schema that this one is of. `takenAt`: ISO. */
export type RestoredFrom = { readonly snapshot: string; readonly schema: string; readonly takenAt: string };

/** Null for the schema of a pipeline. */
export async function findRestored(pool: pg.Pool, schema: string): Promise<RestoredFrom | null> {
  const found = await readRestored(pool, schema);
  if (found === null) return null;
  return { snapshot: found.name, schema: found.schema, takenAt: new Date(found.takenAtMs).toISOString() };
}

/** Why a table is empty that a restored schema has, but no rows of; null in any other schema. */
export async function notRestored(pool: pg.Pool, schema: string, what: string): Promise<string | null> {
  const restored = await findRestored(pool, schema);
  if (restored === null) return null;
  return `Schema ${schema} was restored from a snapshot, which keeps results and no ${what}; those of schema ${restored.schema} are listed with --schema ${restored.schema}.`;
}
