// A worker that runs generators only. Started as a program (one argument: its place as JSON) it works until it is killed.
import { fileURLToPath } from 'node:url';

import { NativeConnection, Worker } from '@temporalio/worker';

import { createProduceEvents } from '../../activities/produce-events.ts';
import { openLog } from '../../observability/log.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { must } from '../../pipeline/ensure.ts';
import { bundleOfSources } from '../../workers/workflow-bundle.ts';

const metrics = openMetrics({ processMetrics: false }).generator;

export type WorkerPlace = { readonly queue: string; readonly address: string; readonly kafkaBrokers: string[] };

export async function runWorker<T>(place: WorkerPlace, work: () => Promise<T>): Promise<T> {
  const log = openLog({ name: 'generator-worker', level: 'silent' });
  const bundle = await bundleOfSources({ log, signal: new AbortController().signal });
  const connection = await NativeConnection.connect({ address: place.address });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: place.queue,
      workflowBundle: must(bundle, 'a bundle, as nobody aborts its making'),
      activities: { produceEvents: createProduceEvents({ kafkaBrokers: place.kafkaBrokers, metrics }) },
      maxHeartbeatThrottleInterval: '250ms',
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
