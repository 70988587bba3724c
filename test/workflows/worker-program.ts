// A worker as a process of its own, on the servers and task queues (and with the bundle) that PLACE (JSON) names; a test ends it by a signal.
import { openLog } from '../../observability/log.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { must } from '../../pipeline/ensure.ts';
import { runWorker } from '../../workers/worker.ts';
import { installRuntime } from '../../workers/temporal-log.ts';

const {
  servers,
  taskQueues,
  spreadLookEveryMs,
  bundlePath,
  logLevel = 'info',
} = JSON.parse(must(process.env.PLACE, 'PLACE'));
const log = openLog({ name: 'worker program', level: logLevel });
installRuntime({ log, telemetryAddress: null });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runWorker({
  addresses: {
    kafka: { brokers: servers.kafkaBrokers },
    postgres: { url: servers.postgresUrl },
    temporal: { address: servers.temporalAddress },
  },
  settings: { partitions: 4, temporalNamespace: 'default' },
  log,
  metrics: openMetrics({ processMetrics: false }),
  signal: stop.signal,
  taskQueues,
  spreadLookEveryMs,
  ...(bundlePath === undefined ? {} : { workflowBundle: { codePath: bundlePath } }),
});
