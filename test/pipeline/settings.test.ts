// Settings: flags before environment before defaults, and every problem said at once.
import { describe, expect, test } from 'vitest';

import { SETTINGS } from '../../pipeline/setting-table.ts';
import {
  SETTING_NAMES,
  SettingsError,
  describeSetting,
  pipelineSpec,
  resolveSettings,
  unknownVariables,
} from '../../pipeline/settings.ts';

function problemsOf(given: Parameters<typeof resolveSettings>[0]): readonly string[] {
  try {
    resolveSettings(given);
  } catch (thrown) {
    if (thrown instanceof SettingsError) return thrown.problems;
    throw thrown;
  }
  return [];
}

describe('settings', () => {
  test('nothing given, the documented defaults hold', () => {
    const { settings, origins } = resolveSettings({ flags: {}, env: {} });
    expect(settings).toEqual({
      topic: 'streaming-events',
      partitions: 6,
      latenessMs: 300_000,
      idleAfterMs: 30_000,
      maxFutureMs: 300_000,
      amendHorizonMs: 86_400_000,
      amendIntervalMs: 10_000,
      sessionGapMs: 1_800_000,
      sessionMaxMs: 43_200_000,
      retentionMs: null,
      schema: 'weir',
      workers: 1,
      home: '.weir',
      metricsAddress: '127.0.0.1:9464',
      temporalMetricsAddress: null,
      logLevel: 'info',
      kafkaBrokers: null,
      postgresUrl: null,
      temporalAddress: null,
      temporalNamespace: 'default',
      kafkaTls: 'off',
      kafkaCaFile: null,
      kafkaSasl: 'none',
      kafkaUsername: null,
      kafkaPassword: null,
      kafkaPasswordFile: null,
      temporalTls: 'off',
      temporalCaFile: null,
      temporalCertFile: null,
      temporalKeyFile: null,
      temporalServerName: null,
      temporalApiKey: null,
      temporalApiKeyFile: null,
    });
    expect(new Set(origins.values())).toEqual(new Set(['default']));
  });

  test('a flag wins over the environment, the environment over the default', () => {
    const { settings, origins } = resolveSettings({
      flags: { topic: 'from-flag' },
      env: { WEIR_TOPIC: 'from-environment', WEIR_LATENESS: '20s' },
    });
    expect(settings).toMatchObject({ topic: 'from-flag', latenessMs: 20_000, idleAfterMs: 30_000 });
    expect([origins.get('topic'), origins.get('latenessMs'), origins.get('idleAfterMs')]).toEqual([
      'flag',
      'environment',
      'default',
    ]);
  });

  test('a variable equal to its default still comes from the environment', () => {
    expect(resolveSettings({ flags: {}, env: { WEIR_LATENESS: '5m' } }).origins.get('latenessMs')).toBe('environment');
  });

  test('an empty variable counts as not set', () => {
    expect(resolveSettings({ flags: {}, env: { WEIR_TOPIC: '', WEIR_POSTGRES_URL: '' } }).settings).toMatchObject({
      topic: 'streaming-events',
      postgresUrl: null,
    });
  });

  test('all problems are listed at once, each with the name the user wrote', () => {
    const problems = problemsOf({
      flags: { workers: '0' },
      env: {
        WEIR_LATENESS: 'soon',
        WEIR_SCHEMA: 'Weir!',
        WEIR_KAFKA_BROKERS: 'localhost',
        WEIR_POSTGRES_URL: 'mysql://root:secret@db/weir',
        WEIR_LOG_LEVEL: 'loud',
      },
    });
    expect(problems).toHaveLength(6);
    expect(problems).toEqual([
      expect.stringMatching(/^WEIR_LATENESS: "soon" is not a duration; .*\.$/),
      expect.stringMatching(/^WEIR_SCHEMA: "Weir!" is not a schema name; .*\.$/),
      expect.stringMatching(/^--workers: "0" is not a whole number from 1 to 64\.$/),
      expect.stringMatching(/^WEIR_LOG_LEVEL: "loud" is not a level; use debug, .*\.$/),
      expect.stringMatching(/^WEIR_KAFKA_BROKERS: "localhost" is not an address; .*\.$/),
      expect.stringMatching(/^WEIR_POSTGRES_URL: it is not a PostgreSQL URL; .*\.$/),
    ]);
  });

  test('a bad URL is not repeated, since it may hold a password', () => {
    expect(problemsOf({ flags: {}, env: { WEIR_POSTGRES_URL: 'mysql://u:secret@db' } }).join('')).not.toContain(
      'secret',
    );
  });

  test('a described URL hides its password', () => {
    const { settings } = resolveSettings({
      flags: {},
      env: { WEIR_POSTGRES_URL: 'postgres://weir:secret@db:5432/weir' },
    });
    expect(describeSetting('postgresUrl', settings)).toBe('postgres://weir:***@db:5432/weir');
  });

  test.each([
    ['WEIR_RETENTION', 'none', { retentionMs: null }],
    ['WEIR_RETENTION', '30d', { retentionMs: 2_592_000_000 }],
    ['WEIR_KAFKA_BROKERS', 'a:9092, b:9093', { kafkaBrokers: ['a:9092', 'b:9093'] }],
    ['WEIR_METRICS_ADDRESS', '[::1]:0', { metricsAddress: '[::1]:0' }],
    ['WEIR_TEMPORAL_METRICS_ADDRESS', '127.0.0.1:9465', { temporalMetricsAddress: '127.0.0.1:9465' }],
    ['WEIR_TEMPORAL_METRICS_ADDRESS', 'none', { temporalMetricsAddress: null }],
    ['WEIR_LATENESS', '0s', { latenessMs: 0 }],
  ])('%s=%s is read', (variable, value, expected) => {
    expect(resolveSettings({ flags: {}, env: { [variable]: value } }).settings).toMatchObject(expected);
  });

  test.each([
    ['WEIR_LATENESS', '31d', 'out of range'],
    ['WEIR_METRICS_ADDRESS', 'host:99999', 'is not an address'],
    ['WEIR_TEMPORAL_METRICS_ADDRESS', '9465', 'is not an address'],
    ['WEIR_KAFKA_BROKERS', 'a:9092,,', 'is not an address'],
    ['WEIR_TOPIC', '..', 'is not a topic name'],
    ['WEIR_HOME', '  ', 'it is empty'],
    ['WEIR_PARTITIONS', '1.5', 'is not a whole number'],
  ])('%s=%s is refused', (variable, value, why) => {
    expect(problemsOf({ flags: {}, env: { [variable]: value } }).join('')).toContain(why);
  });

  test.each(SETTING_NAMES)('%s says its variable, flag, type and why, and its default can be read', (name) => {
    const row = SETTINGS[name];
    expect(row.env).toMatch(/^WEIR_[A-Z_]+$/);
    expect(row.flag ?? '--none').toMatch(/^--[a-z-]+$/);
    expect(row.type).not.toBe('');
    expect(row.why.length).toBeGreaterThan(30);
    expect(() => row.parse(row.default)).not.toThrow();
  });

  test('no two settings share a variable or a flag', () => {
    const rows = SETTING_NAMES.map((name) => SETTINGS[name]);
    expect(new Set(rows.map((row) => row.env)).size).toBe(rows.length);
    const flags = rows.flatMap(({ flag }) => flag ?? []);
    expect(new Set(flags).size).toBe(flags.length);
  });

  test('a WEIR_ variable that no setting reads is named', () => {
    expect(unknownVariables({ WEIR_LATENES: '20s', WEIR_TOPIC: 'x', PATH: '/bin' })).toEqual(['WEIR_LATENES']);
  });

  test('workflows are given what decides results and nothing else', () => {
    const { settings } = resolveSettings({ flags: {}, env: {} });
    expect(Object.keys(pipelineSpec(settings)).toSorted()).toEqual([
      'amendHorizonMs',
      'amendIntervalMs',
      'idleAfterMs',
      'latenessMs',
      'maxFutureMs',
      'retentionMs',
      'schema',
      'sessionGapMs',
      'sessionMaxMs',
      'topic',
    ]);
  });
});
