// Crash point: a batch is committed and acknowledged, and the worker is killed before its heartbeat says so.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { expect, inject, onTestFinished, test } from 'vitest';

import { partitionId } from '../../pipeline/ids.ts';
import { eventually } from '../support/eventually.ts';
import { eventsFrom, freshTaskQueues, inWorld } from '../workflows/pipeline-world.ts';
import type { PipelineWorld } from '../workflows/pipeline-world.ts';

const PROGRAM = fileURLToPath(new URL('../workflows/worker-program.ts', import.meta.url));
const DAY = '2026-11-01T10:00:00.000Z';

function startProgram({ servers, taskQueues }: PipelineWorld): ChildProcess {
  const program = spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
    env: { ...process.env, PLACE: JSON.stringify({ servers, taskQueues }) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  onTestFinished(() => void program.kill('SIGKILL'));
  return program;
}

/** The offset that the last heartbeat told of, or null when none did. */
async function toldOffset({ client, spec }: PipelineWorld): Promise<number | null> {
  const { raw } = await client.workflow.getHandle(partitionId(spec.topic, 0)).describe();
  for (const { heartbeatDetails } of raw.pendingActivities ?? []) {
    const [payload] = heartbeatDetails?.payloads ?? [];
    const details: unknown = payload?.data ? JSON.parse(Buffer.from(payload.data).toString()) : null;
    if (typeof details === 'object' && details !== null && 'nextOffset' in details) return Number(details.nextOffset);
  }
  return null;
}

test('a worker that is killed between commit and heartbeat is followed by one that starts from the commit', async () => {
  const options = { leaseMs: 600_000, heartbeatTimeoutMs: 5_000 };
  await inWorld(
    { servers: inject('servers'), taskQueues: freshTaskQueues(), partitions: 1, options },
    async (world) => {
      const first = startProgram(world);
      await world.start();
      await world.send(eventsFrom(DAY, 100));
      await world.untilIngested(100);
      await eventually(async () => (await toldOffset(world)) === 100, {
        deadlineMs: 30_000,
        what: 'a heartbeat tells of the first commit',
      });
      // One batch after another, until the last commit is news to Temporal.
      let sent = 100;
      for (;;) {
        await world.send(eventsFrom(DAY, 50));
        sent += 50;
        await world.untilIngested(sent);
        if ((await toldOffset(world)) !== sent) break;
      }
      first.kill('SIGKILL');
      await once(first, 'exit');
      expect(await toldOffset(world)).not.toBe(sent);
      const second = startProgram(world);
      await world.send(eventsFrom(DAY, 100));
      await world.untilIngested(sent + 100);
      expect(await world.count('events')).toBe(sent + 100);
      second.kill('SIGKILL');
      await once(second, 'exit');
    },
  );
}, 120_000);
