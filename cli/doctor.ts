// `weir doctor`: what this machine lacks, with the remedy of each, and where every setting came from.
import type { Command } from 'commander';

import { checkMachine } from '../local/check-machine.ts';
import type { MachineCheck } from '../local/check-machine.ts';
import { SETTINGS } from '../pipeline/setting-table.ts';
import { SETTING_NAMES, describeSetting } from '../pipeline/settings.ts';
import type { SettingOrigins, Settings } from '../pipeline/settings.ts';
import { createCommand, settingsOf } from './command.ts';
import { printJson, printLine, styled, tableOf } from './output.ts';

type ShownSetting = { readonly name: string; readonly value: string; readonly source: string };

/** The command. */
export function doctorCommand(): Command {
  return createCommand({
    name: 'doctor',
    summary:
      'check tools, addresses, ports and permissions, and list the settings; exit code 1 when something is missing',
    examples: [
      ['weir doctor', 'before the first `weir up`'],
      ['weir doctor --postgres-url postgres://me:secret@db:5432/shop', 'whether that PostgreSQL can be used'],
    ],
    settings: [...SETTING_NAMES],
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings, origins } = settingsOf(command);
      const checks = await checkMachine(settings);
      const healthy = checks.every(({ outcome }) => outcome !== 'failed');
      const shown = shownSettings(settings, origins);
      if (json) printJson({ healthy, checks, settings: shown });
      else printFindings(checks, shown);
      if (!healthy) process.exitCode = 1;
    });
}

function shownSettings(settings: Settings, origins: SettingOrigins): ShownSetting[] {
  return SETTING_NAMES.map((name) => ({
    name: SETTINGS[name].env,
    value: describeSetting(name, settings),
    source: origins.get(name) ?? 'default',
  }));
}

function printFindings(checks: readonly MachineCheck[], settings: readonly ShownSetting[]): void {
  const marks = { ok: styled('green', 'ok    '), note: styled('yellow', 'note  '), failed: styled('red', 'failed') };
  const width = Math.max(...checks.map(({ name }) => name.length));
  // No table: a remedy is longer than a line, and a table would pad every other line to its length.
  for (const { name, outcome, says } of checks) printLine(`${marks[outcome]}  ${name.padEnd(width)}  ${says}`);
  printLine();
  printLine(
    tableOf(
      ['Setting', 'Value', 'From'],
      settings.map(({ name, value, source }) => [name, value, source]),
    ),
  );
  printLine();
  const failed = checks.filter(({ outcome }) => outcome === 'failed').length;
  if (failed === 0) printLine('Everything `weir up` needs is there.');
  else printLine(`${failed} of ${checks.length} checks failed; what to do stands beside each.`);
}
