// Counts what a reprocess has revised, once it is over.
import type pg from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Span } from '../pipeline/window.ts';
import { countRevisions } from '../postgres/revision-counts.ts';
import type { RevisionCounts } from '../postgres/revision-counts.ts';
import { beating } from './beating.ts';
import { toFailure } from './failures.ts';

export type CountRevisionsInput = {
  readonly spec: PipelineSpec;
  readonly range: Span;
  readonly afterAmendment: string;
};

/** The activity `countRevisions`. Reads only. */
export const createCountRevisions =
  ({ pool }: { readonly pool: pg.Pool }) =>
  async ({ spec, range, afterAmendment }: CountRevisionsInput): Promise<RevisionCounts> => {
    try {
      return await beating(null, async () => await countRevisions(pool, spec, { range, afterId: afterAmendment }));
    } catch (error) {
      throw toFailure(error);
    }
  };
