// The settings of a run: resolved once, flags before environment before defaults, every problem reported together.
import { formatDuration } from './duration.ts';
import { messageOf } from './ensure.ts';
import type { PipelineSpec } from './pipeline-spec.ts';
import { securityProblems } from './security-settings.ts';
import { SETTINGS, isSettingName } from './setting-table.ts';
import type { SettingName, Settings } from './setting-table.ts';
import { withoutPassword } from './url-password.ts';

export type { Settings } from './setting-table.ts';

/** Where a resolved value came from. */
type SettingOrigin = 'flag' | 'environment' | 'default';

export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(isSettingName);

export type SettingOrigins = ReadonlyMap<SettingName, SettingOrigin>;

/** Some settings could not be used. `problems` has one sentence for each, all of them at once. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

type Given = {
  readonly flags: Readonly<Partial<Record<SettingName, string>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/**
 * Resolves every setting; an empty variable counts as not set. `flags` holds the text given for a setting's flag. Throws
 * one SettingsError that lists every problem.
 */
export function resolveSettings(given: Given): { settings: Settings; origins: SettingOrigins } {
  const problems: string[] = [];
  const take = <Name extends SettingName>(name: Name): Settings[Name] => {
    const row = SETTINGS[name];
    const origin = originOf(name, given);
    const text = { flag: given.flags[name], environment: given.env[row.env], default: row.default }[origin];
    try {
      return row.parse(text ?? '');
    } catch (thrown) {
      problems.push(`${(origin === 'flag' ? row.flag : null) ?? row.env}: ${messageOf(thrown)}.`);
      return row.parse(row.default);
    }
  };
  const settings = eachSetting(take);
  const { kafkaBrokers, temporalAddress } = settings;
  problems.push(
    ...securityProblems(settings, { kafkaIsOurs: kafkaBrokers === null, temporalIsOurs: temporalAddress === null }),
  );
  if (problems.length > 0) throw new SettingsError(problems);
  return { settings, origins: new Map(SETTING_NAMES.map((name) => [name, originOf(name, given)] as const)) };
}

function eachSetting(take: <Name extends SettingName>(name: Name) => Settings[Name]): Settings {
  return {
    topic: take('topic'),
    partitions: take('partitions'),
    latenessMs: take('latenessMs'),
    idleAfterMs: take('idleAfterMs'),
    maxFutureMs: take('maxFutureMs'),
    amendHorizonMs: take('amendHorizonMs'),
    amendIntervalMs: take('amendIntervalMs'),
    sessionGapMs: take('sessionGapMs'),
    sessionMaxMs: take('sessionMaxMs'),
    retentionMs: take('retentionMs'),
    schema: take('schema'),
    workers: take('workers'),
    home: take('home'),
    metricsAddress: take('metricsAddress'),
    temporalMetricsAddress: take('temporalMetricsAddress'),
    logLevel: take('logLevel'),
    kafkaBrokers: take('kafkaBrokers'),
    postgresUrl: take('postgresUrl'),
    temporalAddress: take('temporalAddress'),
    temporalNamespace: take('temporalNamespace'),
    kafkaTls: take('kafkaTls'),
    kafkaCaFile: take('kafkaCaFile'),
    kafkaSasl: take('kafkaSasl'),
    kafkaUsername: take('kafkaUsername'),
    kafkaPassword: take('kafkaPassword'),
    kafkaPasswordFile: take('kafkaPasswordFile'),
    temporalTls: take('temporalTls'),
    temporalCaFile: take('temporalCaFile'),
    temporalCertFile: take('temporalCertFile'),
    temporalKeyFile: take('temporalKeyFile'),
    temporalServerName: take('temporalServerName'),
    temporalApiKey: take('temporalApiKey'),
    temporalApiKeyFile: take('temporalApiKeyFile'),
  };
}

function originOf(name: SettingName, given: Given): SettingOrigin {
  if (given.flags[name] !== undefined) return 'flag';
  return given.env[SETTINGS[name].env] ? 'environment' : 'default';
}

/** WEIR_ variables that no setting reads: most likely misspelt, and ignored in silence unless somebody says so. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(SETTING_NAMES.map((name) => SETTINGS[name].env));
  return Object.keys(env).filter((key) => key.startsWith('WEIR_') && !known.has(key));
}

/** A resolved value as a user would write it: durations with units, lists with commas, "-" when not set, no password. */
export function describeSetting(name: SettingName, settings: Settings): string {
  const value = settings[name];
  if (value === null) return SETTINGS[name].default === 'none' ? 'none' : '-';
  if (SETTINGS[name].secret) return '***';
  if (typeof value === 'number') return SETTINGS[name].type === 'duration' ? formatDuration(value) : String(value);
  return typeof value === 'string' ? withoutPassword(value) : value.join(',');
}

/** The part of the settings that decides what results say: what workflows are given. */
export function pipelineSpec(settings: Settings): PipelineSpec {
  const { topic, schema, latenessMs, idleAfterMs, maxFutureMs } = settings;
  const { amendHorizonMs, amendIntervalMs, sessionGapMs, sessionMaxMs, retentionMs } = settings;
  const rules = { latenessMs, idleAfterMs, maxFutureMs, amendHorizonMs, amendIntervalMs, sessionGapMs, sessionMaxMs };
  return { topic, schema, ...rules, retentionMs };
}
