// Windows close by event time on real servers: by the watermark, by idleness, at the end of a stream, and again for late events.
import { afterAll, beforeAll, describe, inject, it } from 'vitest';

import { partitionOffsets } from '../../kafka/topics.ts';
import { closeWindowId, windowsId } from '../../pipeline/ids.ts';
import type { ClosedWindows, WindowsState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { eventAt, eventsFrom, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

const stateOf = async (world: PipelineWorld): Promise<WindowsState> =>
  await world.state<WindowsState>(windowsId(world.spec.topic));

const endStream = async (world: PipelineWorld): Promise<WindowsState> => {
  const offsets = await partitionOffsets({ brokers: world.servers.kafkaBrokers, topic: world.spec.topic });
  const endOffsets = Object.fromEntries(offsets.map(({ partition, endOffset }) => [partition, String(endOffset)]));
  const handle = world.client.workflow.getHandle(windowsId(world.spec.topic));
  await eventually(async () => await handle.executeUpdate('endStream', { args: [{ endOffsets }] }), {
    deadlineMs: 60_000,
    what: 'closeWindows accepts the end of the stream',
  });
  return await eventually(
    async () => {
      const state = await stateOf(world);
      return state.stream === 'ended' && state;
    },
    { deadlineMs: 60_000, what: 'the stream has ended' },
  );
};

/** Within the amend horizon, and long past for the watermark: the start of a minute an hour ago. */
const hourAgo = (): number => Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

describe.concurrent('closeWindows', { timeout: 120_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, ...more });

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  it('closes every window at the end of a stream, and the children say what closed with how many events', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      // Five minutes, 20 s apart, so near to now that the clock alone would close nothing for a long time.
      const from = new Date(Date.now() - 60_000).toISOString();
      await world.send(eventsFrom(from, 15, 20_000));
      await world.start();
      const state = await endStream(world);
      expect(state.lastClosed.reduce((sum, { events }) => sum + events, 0)).toBe(15);
      expect(state.writtenThroughMs).toBe(state.closedThroughMs);
      // A pane is a minute, and so is a window of event_counts.
      expect(await world.count(`windows where aggregate = 'event_counts'`)).toBe(
        state.lastClosed.reduce((sum, { panes }) => sum + panes, 0),
      );
      const last = state.lastClosed.find((closed) => closed.events > 0);
      const boundary = new Date(last?.throughMs ?? 0).toISOString().replace('.000Z', 'Z');
      const child = world.client.workflow.getHandle(closeWindowId(world.spec.topic, boundary));
      const { windows: count, panes, events }: ClosedWindows = await child.result();
      expect({ windows: count, panes, events }).toEqual({
        windows: last?.windows,
        panes: last?.panes,
        events: last?.events,
      });
    });
  });

  it('ends a stream without a single event at once', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await world.start();
      await eventually(async () => (await world.count('checkpoints')) === 2, {
        deadlineMs: 60_000,
        what: 'checkpoints',
      });
      const state = await endStream(world);
      expect(await world.count('windows')).toBe(0);
      expect(state.message).toMatch(/ended/);
    });
  });

  it('closes windows without new data once every partition is idle', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await world.send(eventsFrom('2026-11-01T10:00:00.000Z', 90));
      await world.start();
      // Two minutes with events; all is idle, so the wall clock less the lateness is past everything.
      await eventually(async () => (await world.count(`windows where aggregate = 'device_stats'`)) === 1, {
        deadlineMs: 60_000,
        what: 'the ten minute window is closed',
      });
      expect(await world.count(`windows where aggregate = 'event_counts'`)).toBe(2);
    });
  });

  it('leaves event time where it is while an empty topic idles, so that a history loaded later is on time', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      await world.start();
      await eventually(async () => (await world.count(`checkpoints where committed_at < now() - interval '5 s'`)) > 0, {
        deadlineMs: 60_000,
        what: 'the empty topic has idled many times the idle time',
      });
      await world.send(eventsFrom(iso(hourAgo()), 60));
      await eventually(async () => (await world.count(`windows where aggregate = 'device_stats'`)) > 0, {
        deadlineMs: 60_000,
        what: 'the windows of the history are closed',
      });
      expect(await world.count('events')).toBe(60);
      expect(await world.count('late_events')).toBe(0);
    });
  });

  it('takes late events into windows that have closed, as revision 2', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      const startMs = hourAgo();
      await world.send(eventsFrom(iso(startMs), 60));
      await world.start();
      await endStream(world);
      await world.send([eventAt(iso(startMs + 30_000)), eventAt(iso(startMs + 31_000))]);
      await eventually(async () => (await world.count('late_events where applied_at is not null')) === 2, {
        deadlineMs: 60_000,
        what: 'both late events applied',
      });
      expect(await world.count(`event_counts where event_count = 62 and revision > 1`)).toBe(1);
      const state = await eventually(
        async () => {
          const now = await stateOf(world);
          return now.amendedRows > 0 && now;
        },
        { deadlineMs: 60_000, what: 'the workflow tells of amended rows' },
      );
      expect(state.failures.count).toBe(0);
    });
  });

  it('finishes what a terminated closer began: nothing that is closed stays unwritten', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await world.send(eventsFrom('2026-11-01T10:00:00.000Z', 200, 30_000));
      await world.start();
      await world.untilIngested(200);
      // As if the closer had died between its two steps: everything is closed and nothing written.
      await world.client.workflow.getHandle(windowsId(world.spec.topic)).terminate('A test pulls the plug.');
      await eventually(async () => (await world.count(`windows where aggregate = 'event_counts'`)) === 100, {
        deadlineMs: 60_000,
        what: 'all windows closed by the closer that the pipeline started again',
      });
      await eventually(async () => (await world.count('closed_through where written_through = closed_through')) === 1, {
        deadlineMs: 60_000,
        what: 'what is closed is written',
      });
      expect(await world.count('late_events')).toBe(0);
    });
  });
});

/** closed_through in epoch ms, or null while it is at the beginning of time. */
