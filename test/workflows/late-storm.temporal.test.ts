// A storm of late events through the living closeWindows: it collects them for the amend interval and amends a window once.
import { expect, inject, test } from 'vitest';

import { pipelineId, windowsId } from '../../pipeline/ids.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { WindowsState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { eventAt, eventsFrom, inWorld, startWorker } from './pipeline-world.ts';

const WITHIN = { deadlineMs: 120_000 };
const AMEND_INTERVAL_MS = 10_000;
const STORM = 3_000;
const MINUTE_MS = 60_000;

test('thousands of late events for one window make one amendment of it, not thousands', async () => {
  const servers = inject('servers');
  const worker = await startWorker(servers);
  await inWorld({ servers, taskQueues: worker.taskQueues }, async (world) => {
    const spec = { ...world.spec, amendIntervalMs: AMEND_INTERVAL_MS };
    const tables = quoteSchema(spec.schema);
    const startMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 60 * MINUTE_MS;
    const at = (ms: number): string => new Date(startMs + ms).toISOString();
    await world.send(eventsFrom(at(0), 120));
    await world.client.workflow.start('runPipeline', {
      workflowId: pipelineId(spec.topic),
      taskQueue: world.taskQueues.windows,
      args: [{ spec, options: world.options }],
    });
    const isClosed = async (): Promise<boolean> =>
      (await world.count(`windows where aggregate = 'event_counts' and window_start >= '${at(MINUTE_MS)}'`)) > 0;
    await eventually(isClosed, { ...WITHIN, what: 'both minutes are closed' });
    // The first late event is taken in at once; from then on the interval runs.
    await world.send([eventAt(at(MINUTE_MS))]);
    const isAmended = async (): Promise<boolean> =>
      (await world.state<WindowsState>(windowsId(spec.topic))).amendedRows > 0;
    await eventually(isAmended, { ...WITHIN, what: 'the first late event is in its windows' });
    const sentAtMs = Date.now();
    await world.send(Array.from({ length: STORM }, (_, index) => eventAt(at((index * 59_000) / STORM))));
    const isOver = async (): Promise<boolean> =>
      (await world.count('late_events')) === STORM + 1 && (await lateEventsWaiting(world.pool, spec)) === 0;
    await eventually(isOver, { ...WITHIN, what: 'the storm is in its windows' });
    const intervals = Math.ceil((Date.now() - sentAtMs) / AMEND_INTERVAL_MS);
    const { rows } = await world.pool.query<{ after: number }>(
      `select (after ->> 'event_count')::int as after from ${tables}.amendments
        where aggregate = 'event_counts' and window_start = $1 order by id`,
      [at(0)],
    );
    expect(rows.at(-1)).toEqual({ after: 60 + STORM });
    // One; where the storm took longer than the interval to come in, one in each of them.
    expect(rows.length).toBeLessThanOrEqual(intervals);
    expect(rows.length).toBeLessThanOrEqual(5);
  });
  await worker.drain();
}, 300_000);
