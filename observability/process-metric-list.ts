// The metrics of one worker process and of what it stands on, and those of the generators that it runs.
import { GENERATOR } from './metric-declaration.ts';
import type { MetricGroup } from './metric-declaration.ts';

export const WORKER_METRICS = {
  buildInfo: {
    kind: 'gauge',
    name: 'weir_build_info',
    help: 'Version of Weir and of the Node.js that runs it.',
    unit: 'info',
    labels: ['version', 'node'],
  },
  workerReady: {
    kind: 'gauge',
    name: 'weir_worker_ready',
    help: 'Whether this worker can take work just now, as /readyz says: 1 or 0.',
    unit: 'yes or no',
    labels: [],
  },
  dependencyUp: {
    kind: 'gauge',
    name: 'weir_dependency_up',
    help: 'Whether the server (temporal, postgres, kafka) did what this worker needs of it when last asked: 1 or 0.',
    unit: 'yes or no',
    labels: ['dependency'],
  },
  postgresConnections: {
    kind: 'gauge',
    name: 'weir_postgres_connections',
    help: 'Connections of this worker to PostgreSQL, by state: idle, busy, and waiting for those who wait for one. Each lease has one more of its own.',
    unit: 'count',
    labels: ['state'],
  },
  diskFree: {
    kind: 'gauge',
    name: 'weir_disk_free_bytes',
    help: 'Bytes free on the file system that holds the home folder of the worker (WEIR_HOME).',
    unit: 'bytes',
    labels: [],
  },
  diskSize: {
    kind: 'gauge',
    name: 'weir_disk_size_bytes',
    help: 'Size of the file system that holds the home folder of the worker (WEIR_HOME).',
    unit: 'bytes',
    labels: [],
  },
} as const satisfies MetricGroup;

export const GENERATOR_METRICS = {
  produced: {
    kind: 'counter',
    name: 'weir_generator_messages_total',
    help: 'Messages that the generator has produced and Kafka has acknowledged.',
    unit: 'count',
    labels: GENERATOR,
  },
  producedBytes: {
    kind: 'counter',
    name: 'weir_generator_bytes_total',
    help: 'Keys and values of these messages, in bytes.',
    unit: 'bytes',
    labels: GENERATOR,
  },
  produceErrors: {
    kind: 'counter',
    name: 'weir_generator_errors_total',
    help: 'How often Kafka could not be written to, by what was wrong; the messages are written all the same, later.',
    unit: 'count',
    labels: [...GENERATOR, 'kind'],
  },
  generatorBehind: {
    kind: 'gauge',
    name: 'weir_generator_behind_seconds',
    help: 'How far the generator is behind its schedule.',
    unit: 'seconds',
    labels: GENERATOR,
  },
  generatorTarget: {
    kind: 'gauge',
    name: 'weir_generator_target_per_second',
    help: 'Messages a second that the schedule of the generator asks for at present.',
    unit: 'per second',
    labels: GENERATOR,
  },
  generatorActual: {
    kind: 'gauge',
    name: 'weir_generator_actual_per_second',
    help: 'Messages of the generator that Kafka acknowledged a second, over the last five seconds.',
    unit: 'per second',
    labels: GENERATOR,
  },
} as const satisfies MetricGroup;
