// The table of settings: everything a user can turn, declared once with its default and why it is there.
import { SECURITY_SETTINGS } from './security-settings.ts';
import type { SecuritySettings } from './security-settings.ts';
import type { SettingRow } from './setting-row.ts';
import {
  amount,
  brokerList,
  duration,
  durationOrNone,
  hostAndPort,
  logLevel,
  minutes,
  orNone,
  orUnset,
  postgresUrl,
  schemaName,
  text,
  topicName,
} from './setting-values.ts';
import type { LogLevel } from './setting-values.ts';

/** Every setting, resolved. Durations in milliseconds; a null address means: the part that `weir up` starts itself. */
export type Settings = {
  readonly topic: string;
  readonly partitions: number;
  readonly latenessMs: number;
  readonly idleAfterMs: number;
  readonly maxFutureMs: number;
  readonly amendHorizonMs: number;
  readonly amendIntervalMs: number;
  readonly sessionGapMs: number;
  readonly sessionMaxMs: number;
  /** null: messages of any age are read. */
  readonly retentionMs: number | null;
  readonly schema: string;
  readonly workers: number;
  readonly home: string;
  readonly metricsAddress: string;
  /** null: Temporal's own metrics are served nowhere. */
  readonly temporalMetricsAddress: string | null;
  readonly logLevel: LogLevel;
  readonly kafkaBrokers: readonly string[] | null;
  readonly postgresUrl: string | null;
  readonly temporalAddress: string | null;
  readonly temporalNamespace: string;
} & SecuritySettings;

export type SettingName = keyof Settings;

type SettingTable = { readonly [Name in SettingName]: SettingRow<Settings[Name]> };

/** The table itself: its order is the order of help texts and of `weir doctor`. */
export const SETTINGS: SettingTable = {
  topic: {
    env: 'WEIR_TOPIC',
    flag: '--topic',
    type: 'topic',
    unit: null,
    default: 'streaming-events',
    why: 'Kafka topic that is read (and that the generator fills); one schema holds one topic',
    parse: topicName,
  },
  partitions: {
    env: 'WEIR_PARTITIONS',
    flag: '--partitions',
    type: 'count',
    unit: 'partitions',
    default: '6',
    why: 'partitions of the topic when it has to be created; an existing topic keeps its own',
    parse: amount(1, 1000),
  },
  latenessMs: {
    env: 'WEIR_LATENESS',
    flag: '--lateness',
    type: 'duration',
    unit: 'ms',
    default: '5m',
    why: 'how far behind the newest event the watermark stays: longer catches more disorder, windows close later',
    parse: duration('0s', '30d'),
  },
  idleAfterMs: {
    env: 'WEIR_IDLE_AFTER',
    flag: '--idle-after',
    type: 'duration',
    unit: 'ms',
    default: '30s',
    why: 'a partition read to its end for this long no longer holds windows open',
    parse: duration('100ms', '30d'),
  },
  maxFutureMs: {
    env: 'WEIR_MAX_FUTURE',
    flag: '--max-future',
    type: 'duration',
    unit: 'ms',
    default: '5m',
    why: 'an event further ahead of its Kafka timestamp is refused, since one wrong clock would close every window',
    parse: duration('0s', '365d'),
  },
  amendHorizonMs: {
    env: 'WEIR_AMEND_HORIZON',
    flag: '--amend-horizon',
    type: 'duration',
    unit: 'ms',
    default: '24h',
    why: 'a late event within this of the last close amends its windows; an older one is stored and listed only',
    parse: duration('0s', '3650d'),
  },
  amendIntervalMs: {
    env: 'WEIR_AMEND_INTERVAL',
    flag: '--amend-interval',
    type: 'duration',
    unit: 'ms',
    default: '10s',
    why: 'late events are collected for this long, so that a burst makes one new revision instead of many',
    parse: duration('100ms', '1d'),
  },
  sessionGapMs: {
    env: 'WEIR_SESSION_GAP',
    flag: '--session-gap',
    type: 'duration',
    unit: 'ms',
    default: '30m',
    why: 'silence of a user that ends a session; after a change, weir reprocess makes the earlier sessions anew',
    parse: minutes('1m', '7d'),
  },
  sessionMaxMs: {
    env: 'WEIR_SESSION_MAX',
    flag: '--session-max',
    type: 'duration',
    unit: 'ms',
    default: '12h',
    why: 'length at which the session of a user who never stops is cut, so that it closes at all',
    parse: minutes('1m', '30d'),
  },
  retentionMs: {
    env: 'WEIR_RETENTION',
    flag: '--retention',
    type: 'duration',
    unit: 'ms',
    default: 'none',
    why: 'events older than this when Kafka received them are refused; none reads a topic of any age',
    parse: durationOrNone('1m', '36500d'),
  },
  schema: {
    env: 'WEIR_SCHEMA',
    flag: '--schema',
    type: 'name',
    unit: null,
    default: 'weir',
    why: 'PostgreSQL schema of all tables, so that several pipelines share a database',
    parse: schemaName,
  },
  workers: {
    env: 'WEIR_WORKERS',
    flag: '--workers',
    type: 'count',
    unit: 'processes',
    default: '1',
    why: 'worker processes that `weir up` runs; one drives several cores only through PostgreSQL and Kafka',
    parse: amount(1, 64),
  },
  home: {
    env: 'WEIR_HOME',
    flag: '--home',
    type: 'folder',
    unit: null,
    default: '.weir',
    why: 'data, logs and addresses of everything that runs on this machine',
    parse: text,
  },
  metricsAddress: {
    env: 'WEIR_METRICS_ADDRESS',
    flag: '--metrics-address',
    type: 'host:port',
    unit: null,
    default: '127.0.0.1:9464',
    why: 'where a worker serves /metrics; a free port is picked when it is taken, port 0 always picks one',
    parse: hostAndPort,
  },
  temporalMetricsAddress: {
    env: 'WEIR_TEMPORAL_METRICS_ADDRESS',
    flag: '--temporal-metrics-address',
    type: 'host:port',
    unit: null,
    default: 'none',
    why: "where a worker serves the metrics of Temporal's SDK (slots, latencies, failed tasks), at /metrics; a free port as above",
    parse: orNone(hostAndPort),
  },
  logLevel: {
    env: 'WEIR_LOG_LEVEL',
    flag: '--log-level',
    type: 'level',
    unit: null,
    default: 'info',
    why: 'how much processes log; debug also shows the stack of an error',
    parse: logLevel,
  },
  kafkaBrokers: {
    env: 'WEIR_KAFKA_BROKERS',
    flag: '--kafka-brokers',
    type: 'host:port,...',
    unit: null,
    default: '',
    why: 'addresses of a Kafka that runs already; replaces the one that `weir up` starts',
    parse: orUnset(brokerList),
  },
  postgresUrl: {
    env: 'WEIR_POSTGRES_URL',
    flag: '--postgres-url',
    type: 'url',
    unit: null,
    default: '',
    why: 'a PostgreSQL that runs already; replaces the one that `weir up` starts',
    parse: orUnset(postgresUrl),
  },
  temporalAddress: {
    env: 'WEIR_TEMPORAL_ADDRESS',
    flag: '--temporal-address',
    type: 'host:port',
    unit: null,
    default: '',
    why: 'a Temporal server that runs already; replaces the one that `weir up` starts',
    parse: orUnset(hostAndPort),
  },
  temporalNamespace: {
    env: 'WEIR_TEMPORAL_NAMESPACE',
    flag: '--temporal-namespace',
    type: 'name',
    unit: null,
    default: 'default',
    why: 'Temporal namespace that the workflows live in',
    parse: text,
  },
  ...SECURITY_SETTINGS,
};

/** Whether `key` names a setting. */
export function isSettingName(key: string): key is SettingName {
  return Object.hasOwn(SETTINGS, key);
}
