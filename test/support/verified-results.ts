// What `weir verify` says of the result tables of a pipeline that has no topic behind it.
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { checkResults } from '../../postgres/verify-results.ts';
import type { WindowedPipeline } from './windowed-pipeline.ts';

/** The first differences that verify finds between the result tables and `events`; none when everything is right. */
export async function resultDifferences({ pool, schema, spec }: Omit<WindowedPipeline, 'url'>): Promise<string[]> {
  const { writtenThroughMs: throughMs } = await readClock(pool, spec);
  const found: string[] = [];
  for (const aggregate of AGGREGATES) {
    for (const { name, differences, examples } of await checkResults(pool, schema, {
      aggregate,
      throughMs,
      onProgress: () => {},
    })) {
      if (differences > 0) found.push(`${name}: ${differences}`, ...examples);
    }
  }
  return found;
}
