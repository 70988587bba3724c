// How every command of the line is made: summary, an example in its help, the settings it takes as flags.
import { Command, InvalidArgumentError, Option } from 'commander';

import { messageOf } from '../pipeline/ensure.ts';
import { SETTINGS, isSettingName } from '../pipeline/setting-table.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import { SETTING_NAMES, resolveSettings } from '../pipeline/settings.ts';
import type { SettingOrigins, Settings } from '../pipeline/settings.ts';
import { environment } from './environment.ts';
import { useSecurity } from './use-security.ts';

/** Settings that say where things are: every command that talks to a server takes them. */
export const WHERE: readonly SettingName[] = [
  'topic',
  'schema',
  'home',
  'kafkaBrokers',
  'postgresUrl',
  'temporalAddress',
  'temporalNamespace',
  'logLevel',
];

type Shape = {
  readonly name: string;
  readonly summary: string;
  /** What a person needs to know besides; printed under the summary. */
  readonly more?: string;
  /** Whole command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  readonly settings?: readonly SettingName[];
};

/** A command with its help; the caller adds arguments, options and the action. */
export function createCommand({ name, summary, more, examples, settings = [] }: Shape): Command {
  const command = new Command(name)
    .summary(summary)
    .description(more === undefined ? `${summary}.` : `${summary}.\n\n${more.replaceAll('\n', ' ')}`)
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
    // Else a command takes for itself what is said behind its subcommand: `weir reprocess cancel ID --json` was plain text.
    .enablePositionalOptions()
    .addHelpText(
      'after',
      () => `\nExample:\n${examples.map(([line, does]) => `  $ ${line}\n      ${does}`).join('\n')}\n`,
    );
  SETTINGS_OF.set(command, settings);
  return command;
}

const SETTINGS_OF = new WeakMap<Command, readonly SettingName[]>();

/** Adds the flags of the command's settings: after its own options, because help lists groups in the order they came. */
export function addSettingFlags(command: Command): void {
  for (const setting of SETTINGS_OF.get(command) ?? []) {
    const { flag } = SETTINGS[setting];
    if (flag !== null) command.addOption(settingOption(setting, flag));
  }
}

function settingOption(name: SettingName, flag: string): Option {
  const { type, env, default: fallback, why } = SETTINGS[name];
  const origin = fallback === '' ? env : `${env}, default ${fallback}`;
  return new Option(`${flag} <${type}>`, `${why} (${origin})`).helpGroup('Settings:');
}

const ATTRIBUTE_NAMES = new Map(
  SETTING_NAMES.flatMap((name) => {
    const { flag } = SETTINGS[name];
    return flag === null ? [] : [[new Option(flag).attributeName(), name] as const];
  }),
);

/**
 * The settings of this call: its flags, the environment, the defaults. Throws SettingsError with every problem. From here on
 * every connection of this process to Kafka and Temporal is secured as they say.
 */
export function settingsOf(command: Command): { settings: Settings; origins: SettingOrigins } {
  const flags: Partial<Record<SettingName, string>> = {};
  for (const [attribute, value] of Object.entries(command.opts())) {
    const name = ATTRIBUTE_NAMES.get(attribute);
    if (name !== undefined && isSettingName(name) && typeof value === 'string') flags[name] = value;
  }
  const resolved = resolveSettings({ flags, env: environment() });
  useSecurity(resolved.settings);
  return resolved;
}

/** Lets commander report what a parser throws as a usage error of that option. */
export function parsedBy<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (thrown) {
      throw new InvalidArgumentError(`${messageOf(thrown)}.`);
    }
  };
}
