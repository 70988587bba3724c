// Counts what became of a replay's letters, from the table itself, so that no crash makes it inexact.
import type pg from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { ReplayOutcomes } from '../pipeline/replay.ts';
import { countOutcomes } from '../postgres/replayed-letters.ts';
import { beating } from './beating.ts';
import { toFailure } from './failures.ts';

/** The activity `countOutcomes`. Reads only. */
export const createCountOutcomes =
  ({ pool }: { readonly pool: pg.Pool }) =>
  async ({ spec, replay }: { readonly spec: PipelineSpec; readonly replay: string }): Promise<ReplayOutcomes> => {
    try {
      return await beating(null, async () => await countOutcomes(pool, spec.schema, replay));
    } catch (error) {
      throw toFailure(error);
    }
  };
