// `weir windows --why` and `weir status` beside a running pipeline: what holds windows open, and what became of closed ones.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { partitionId } from '../../pipeline/ids.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { eventually } from '../support/eventually.ts';
import { insertLetters } from '../support/letters.ts';
import { PipelineWorld, eventAt, eventsFrom, startWorker } from '../workflows/pipeline-world.ts';
import type { TestWorker } from '../workflows/pipeline-world.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';

const servers = inject('servers');
let worker: TestWorker;
let world: PipelineWorld;
let env: Record<string, string>;

const why = async (...words: string[]): Promise<string> => {
  const { code, stdout, stderr } = await runWeir(['windows', '--why', ...words], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};

beforeAll(async () => {
  worker = await startWorker(servers);
  world = await PipelineWorld.open(servers, worker.taskQueues);
  env = {
    WEIR_HOME: EMPTY_HOME,
    WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: servers.postgresUrl,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TOPIC: world.spec.topic,
    WEIR_SCHEMA: world.spec.schema,
  };
});

afterAll(async () => {
  await world.close();
  await worker.drain();
});

describe('weir windows --why', { timeout: 300_000 }, () => {
  test('says before the first start that nothing runs, and that there is no event', async () => {
    const text = await why('2026-11-01T10:00Z', '--aggregate', 'event_counts');
    expect(text).toMatch(
      /^event_counts 2026-11-01T10:00:00Z to 2026-11-01T10:01:00Z is not closed\. It holds no event so far/,
    );
    expect(text).toMatch(/ - Event time has not begun/);
    expect(text).toMatch(/ - The pipeline of topic .* does not run; `weir pipeline start` starts it\./);
  });

  test('says when a window closed, how many events it held, and what amended it', async () => {
    await world.start();
    await world.send(eventsFrom('2026-11-01T10:00:00Z', 120));
    const through = Date.parse('2026-11-01T10:10:00Z');
    await eventually(async () => ((await readClock(world.pool, world.spec)).writtenThroughMs ?? 0) >= through, {
      deadlineMs: 120_000,
      what: 'windows are written through 10:10',
    });
    const late = eventAt('2026-11-01T10:00:30Z', { user_id: 'somebody-else' });
    await world.send([late]);
    await eventually(async () => (await world.count('late_events where applied_at is not null')) === 1, {
      deadlineMs: 60_000,
      what: 'the late event is applied',
    });
    const text = await why('2026-11-01T10:00:30Z');
    expect(text).toMatch(
      /^event_counts 2026-11-01T10:00:00Z to 2026-11-01T10:01:00Z is closed, since .*Z, .* after its end, with 60 events; it holds 61 events now \(revision 2\)\.$/m,
    );
    expect(text).toMatch(/^ {2}revision 2 at .*Z, late event: 1 row changed \(\+1 event\)$/m);
    expect(text).toMatch(/^ {2}revision 2 at .*Z, late event: 1 row new \(\+1 event\)$/m);
    expect(text).toMatch(/^purchase_metrics .* is closed, without a row: it held no event\.$/m);
    const { windows } = JSON.parse(await why('2026-11-01T10:01Z', '--aggregate', 'event_counts', '--json'));
    expect(windows).toMatchObject([{ state: 'closed', closed: { revision: 1, events: 60 }, amendments: [], why: [] }]);
  });

  test('says of a window ahead which paused partition holds it back', async () => {
    const tell = async (partition: number, wish: 'pause' | 'resume') =>
      await world.client.workflow.getHandle(partitionId(world.spec.topic, partition)).executeUpdate(wish);
    // Both: were partition 0 ahead of what is sent to 1, that one would be idle and hold nothing back.
    await tell(0, 'pause');
    await tell(1, 'pause');
    await world.send(eventsFrom('2026-11-01T11:00:00Z', 120));
    await tell(0, 'resume');
    await eventually(async () => (await world.count('events')) > 121, {
      deadlineMs: 60_000,
      what: 'partition 0 goes on',
    });
    const text = await why('2026-11-01T11:00Z');
    expect(text).toMatch(/^event_counts .* is not closed\. It holds \d+ events so far\.$/m);
    expect(text).toMatch(
      /^ {2}- Partition 1 is .* short of it with \d+ unread messages, and rests: Paused; "weir partition resume 1" goes on/m,
    );
    expect(text).toMatch(/^ {2}- Event time has come to 2026-11-01T10:\d\d:\d\dZ \(low watermark\)/m);
    const { windows } = JSON.parse(await why('2026-11-01T11:00Z', '--aggregate', 'device_stats', '--json'));
    expect(windows).toMatchObject([{ state: 'open', closed: null, windowEnd: '2026-11-01T11:10:00.000Z' }]);
    expect(windows[0].why).toContainEqual(expect.objectContaining({ reason: 'resting', partition: 1 }));
    await tell(1, 'resume');
  });

  test('refuses a time that is none', async () => {
    const { code, stderr } = await runWeir(['windows', '--why', 'noon'], env);
    expect(code).toBe(2);
    expect(stderr).toMatch(/"noon" is no time; write one such as 2026-11-23T10:05Z/);
  });
});

describe('weir status', { timeout: 300_000 }, () => {
  test('tells open letters by reason, and late events that are left out', async () => {
    await insertLetters(world.pool, world.spec.schema, [
      { reason: 'not_json' },
      { reason: 'not_json', partition: 1 },
      { reason: 'bad_uuid' },
      { status: 'parked' },
      { status: 'discarded' },
    ]);
    await world.pool.query(`update "${world.spec.schema}".late_events set beyond_horizon = true, applied_at = null`);
    const { stdout } = await runWeir(['status'], env);
    expect(stdout).toMatch(/^ {2}letters {5}3 open \(2 not_json, 1 bad_uuid\), 1 parked: `weir dead-letters list`$/m);
    expect(stdout).toMatch(/; 1 left out, beyond the horizon \(`weir late`\)$/m);
    const report = JSON.parse((await runWeir(['status', '--json'], env)).stdout);
    expect(report).toMatchObject({
      totals: { lateLeftOut: 1 },
      letters: {
        open: 3,
        parked: 1,
        atLeast: false,
        reasons: [{ reason: 'not_json', letters: 2 }, { reason: 'bad_uuid' }],
      },
    });
  });
});
