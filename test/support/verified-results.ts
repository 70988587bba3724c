// What `weir verify` says of the result tables of a pipeline that has no topic behind it.
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import type { Check } from '../../pipeline/check.ts';
import { FUNNELS } from '../../pipeline/funnel.ts';
import { sessionRulesOf } from '../../pipeline/session.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { withTransaction } from '../../postgres/pool.ts';
import { checkResults } from '../../postgres/verify-results.ts';
import { checkSessions } from '../../postgres/verify-sessions.ts';
import { RECOUNTED_SESSIONS } from '../../postgres/verify-sessions-sql.ts';
import type { WindowedPipeline } from './windowed-pipeline.ts';

/** The first differences that verify finds between the results and `events`; none when everything is right. */
export async function resultDifferences({ pool, schema, spec }: Omit<WindowedPipeline, 'url'>): Promise<string[]> {
  const checks = await withTransaction(pool, { isolation: 'repeatable read' }, async (client) => {
    await client.query(`${RECOUNTED_SESSIONS}; set transaction read only`);
    const clock = await readClock(client, spec);
    const found: Check[] = [];
    for (const aggregate of AGGREGATES) {
      found.push(
        ...(await checkResults(client, schema, { aggregate, throughMs: clock.panesThroughMs, onProgress: () => {} })),
      );
    }
    const rules = sessionRulesOf(spec);
    // As few events at once as make several parts of them.
    const input = { rules, funnels: FUNNELS, clock, events: 3, eventsAtOnce: 1, onProgress: () => {} };
    return [...found, ...(await checkSessions(client, schema, input))];
  });
  return checks.flatMap(({ name, differences, examples }) =>
    differences > 0 ? [`${name}: ${differences}`, ...examples] : [],
  );
}
