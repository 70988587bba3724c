// `weir generator`: starts workflows that make events, changes their rate, stops them, says what they do.
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';

import { GENERATOR_DEFAULTS, createGeneratorSpec } from '../generator/generator-spec.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { generatorId } from '../pipeline/ids.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import type { GeneratorState } from '../workflows/generator-state.ts';
import { createCommand, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { grouped, printJson, printLine } from './output.ts';
import { generatorTarget } from './targets.ts';
import { ensureWorkflow } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

const WHERE_TEMPORAL: readonly SettingName[] = ['topic', 'home', 'temporalAddress', 'temporalNamespace', 'logLevel'];

/** The group of commands. */
export function generatorCommand(): Command {
  return createCommand({
    name: 'generator',
    summary: 'make events: start, stop, change the rate',
    examples: [['weir generator start --rate 2000', 'six types of events of simulated shoppers, 2,000 a second']],
  })
    .addCommand(startCommand())
    .addCommand(rateCommand())
    .addCommand(verb('stop', 'stop making events for good'))
    .addCommand(verb('pause', 'make no events until resumed'))
    .addCommand(verb('resume', 'go on making events, from the present moment'))
    .addCommand(statusCommand());
}

type StartFlags = Partial<Omit<GeneratorSpec, 'topic'>>;

function startCommand(): Command {
  const { rate, users, name } = GENERATOR_DEFAULTS;
  return createCommand({
    name: 'start',
    summary: 'start a generator; its workflow runs on the workers until the count is reached or it is stopped',
    more: 'The same seed and count make the same events again. Shares are fractions of all messages, 0 to 1.',
    examples: [
      ['weir generator start --rate 2000 --disorder 0.01 --late 0.001', 'live events, a few out of order or late'],
      [
        'weir generator start --name history --count 1000000 --start-time 2026-01-01T00:00:00Z',
        'a million past events, as fast as Kafka takes them',
      ],
    ],
    settings: WHERE_TEMPORAL,
  })
    .option('--name <name>', `name of the generator (default ${name})`)
    .option('--rate <number>', `events per second (default ${rate})`, number)
    .option('--count <number>', 'messages after which it ends (default: goes on until stopped)', number)
    .option('--seed <number>', 'what decides every event (default: chosen anew and printed)', number)
    .option('--users <number>', `simulated shoppers (default ${grouped(users)})`, number)
    .option('--late <share>', 'share of events that come 10 minutes to an hour too late (default 0)', number)
    .option('--duplicates <share>', 'share of messages sent twice (default 0)', number)
    .option('--malformed <share>', 'share of messages that cannot become an event (default 0)', number)
    .option('--disorder <share>', 'share of events out of order within 10 seconds (default 0)', number)
    .option('--newer-schema <share>', 'share of messages of version 2 of the event schemas (default 0)', number)
    .option('--start-time <time>', 'make history from this ISO time on, as fast as possible', isoTime)
    .option('--json', 'print the specification as JSON')
    .action(async (flags: StartFlags & { json?: boolean; startTime?: number }, command: Command) => {
      const { settings } = settingsOf(command);
      const spec = specOf(settings.topic, flags);
      await withControl(settings, async (control) => {
        const id = generatorId(spec.name);
        if (await control.isRunning(id)) {
          throw new CliFailure(
            `The generator ${spec.name} runs already; stop it (weir generator stop --name ${spec.name}) or give another --name.`,
          );
        }
        await ensureWorkflow(control, { type: 'generateEvents', id, queue: 'generator', input: { spec } });
        if (flags.json) printJson(spec);
        else
          printLine(
            `The generator ${spec.name} is started with seed ${spec.seed}; \`weir generator status\` shows what it does.`,
          );
      });
    });
}

const GIVEN = [
  ...(['name', 'rate', 'count', 'seed', 'users'] as const),
  ...(['late', 'duplicates', 'malformed', 'disorder', 'newerSchema'] as const),
];

/** The specification from the flags. A new seed for every start: the same one would make the same event ids again. */
function specOf(topic: string, flags: StartFlags & { startTime?: number }): GeneratorSpec {
  const chosen = Object.fromEntries(GIVEN.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]));
  const startTimeMs = flags.startTime ?? null;
  try {
    return createGeneratorSpec({ seed: Math.floor(Date.now() / 1000), startTimeMs, ...chosen, topic });
  } catch (thrown) {
    throw new CliFailure(messageOf(thrown), { cause: thrown });
  }
}

function rateCommand(): Command {
  return withName(
    createCommand({
      name: 'rate',
      summary: 'change the rate of a running generator',
      examples: [['weir generator rate 5000', '5,000 events a second from now on']],
      settings: WHERE_TEMPORAL,
    }).argument('<rate>', 'events per second', number),
  ).action(async (rate: number, options: VerbFlags, command: Command) => {
    await tell({ name: 'setRate', args: [rate] }, options, command);
  });
}

type VerbFlags = { readonly name: string; readonly json?: boolean };

function verb(name: 'stop' | 'pause' | 'resume', summary: string): Command {
  return withName(
    createCommand({ name, summary, examples: [[`weir generator ${name}`, `${name}s it`]], settings: WHERE_TEMPORAL }),
  ).action(async (options: VerbFlags, command: Command) => {
    await tell({ name, args: [] }, options, command);
  });
}

function statusCommand(): Command {
  return withName(
    createCommand({
      name: 'status',
      summary: 'what a generator does and how far it is',
      examples: [['weir generator status --name history --json', 'the same for programs']],
      settings: WHERE_TEMPORAL,
    }),
  ).action(async ({ name, json }: VerbFlags, command: Command) => {
    const { settings } = settingsOf(command);
    await withControl(settings, async (control) => {
      printState(await control.state<GeneratorState>(generatorTarget(name)), json);
    });
  });
}

function withName(command: Command): Command {
  return command
    .option('--name <name>', 'name of the generator', GENERATOR_DEFAULTS.name)
    .option('--json', 'print the state as JSON');
}

async function tell(
  update: { name: string; args: unknown[] },
  { name, json }: VerbFlags,
  command: Command,
): Promise<void> {
  const { settings } = settingsOf(command);
  await withControl(settings, async (control) => {
    printState(await control.update<GeneratorState>(generatorTarget(name), update.name, { args: update.args }), json);
  });
}

function printState(state: GeneratorState, json: boolean | undefined): void {
  if (json) {
    printJson(state);
    return;
  }
  const of = state.count === null ? '' : ` of ${grouped(state.count)}`;
  printLine(`The generator ${state.name} of topic ${state.topic} is ${state.phase}. ${state.message}`);
  printLine(
    `Messages acknowledged by Kafka: ${grouped(state.nextIndex)}${of}; rate asked for: ${grouped(state.rate)}/s.`,
  );
}

/** Parser of a number for an option. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

function isoTime(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('Write an ISO time with its offset, such as 2026-01-01T00:00:00Z.');
  return ms;
}
