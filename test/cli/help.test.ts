// Every command explains itself: what it does, with an example that names it.
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';

import { createProgram } from '../../cli/program.ts';

type Named = { readonly path: string; readonly command: Command };

const CONTRACT =
  'up,down,doctor,migrate,worker,status,windows,sessions,funnel,late,dead-letters list,dead-letters show,dead-letters discard,verify,stack start,stack stop,stack status,stack reset,pipeline start,pipeline pause,pipeline resume,pipeline stop,pipeline status,partition list,partition pause,partition resume,partition accept-gap,generator start,generator stop,generator rate,generator status,generator schedule,generator unschedule,generator preview,generator export,generator stats'.split(
    ',',
  );

function everyCommand(command: Command, path: string): Named[] {
  return [{ path, command }, ...command.commands.flatMap((each) => everyCommand(each, `${path} ${each.name()}`))];
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (piece) => (text += piece) });
  command.outputHelp();
  return text;
}

const program = createProgram();
const commands = everyCommand(program, 'weir');

describe('help', () => {
  test('every command of the contract is there', () => {
    expect(commands.map(({ path }) => path)).toEqual(expect.arrayContaining(CONTRACT.map((name) => `weir ${name}`)));
  });

  test.each(commands)('$path has an example that can be typed', ({ path, command }) => {
    const help = helpOf(command);
    expect(help).toContain('Example:');
    expect(help.slice(help.indexOf('Example:'))).toContain(`${path} `.trim());
  });

  test.each(commands)('$path describes every option and argument', ({ command }) => {
    expect(command.description()).not.toBe('');
    for (const { description, flags } of command.options)
      expect({ flags, description }).not.toMatchObject({ description: '' });
    for (const argument of command.registeredArguments) expect(argument.description).not.toBe('');
  });

  test('a setting appears in help with its variable and its default', () => {
    const up = commands.find(({ path }) => path === 'weir up');
    expect(up && helpOf(up.command).replaceAll(/\s+/g, ' ')).toContain('(WEIR_LATENESS, default 5m)');
  });
});
