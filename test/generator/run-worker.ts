// A worker that runs generators only. Started as a program (one argument: its place as JSON) it works until it is killed.
import { fileURLToPath } from 'node:url';

import { NativeConnection, Worker } from '@temporalio/worker';

import { createProduceEvents } from '../../activities/produce-events.ts';
import { openMetrics } from '../../observability/metrics.ts';

const WORKFLOWS = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));

const metrics = openMetrics({ processMetrics: false }).generator;

export type WorkerPlace = { readonly queue: string; readonly address: string; readonly kafkaBrokers: string[] };

export async function runWorker<T>(place: WorkerPlace, work: () => Promise<T>): Promise<T> {
  const connection = await NativeConnection.connect({ address: place.address });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: place.queue,
      workflowsPath: WORKFLOWS,
      activities: { produceEvents: createProduceEvents({ kafkaBrokers: place.kafkaBrokers, metrics }) },
      maxHeartbeatThrottleInterval: '500ms',
      shutdownForceTime: '20s',
    });
    return await worker.runUntil(work);
  } finally {
    await connection.close();
  }
}

const place = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && place !== undefined) {
  await runWorker(JSON.parse(place), () => new Promise(() => {}));
}
