// `weir generator`: starts workflows that make events, changes their rate, stops them; what they do and when are beside it.
import type { Command } from 'commander';

import { GENERATOR_DEFAULTS } from '../generator/generator-spec.ts';
import { generatorId } from '../pipeline/ids.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import type { GeneratorState } from '../workflows/generator-state.ts';
import { createCommand, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { generatorExportCommand } from './generator-export.ts';
import {
  PROFILES_EXPLAINED,
  newSeed,
  number,
  specOf,
  specSentence,
  withSpecFlags,
  withStartTime,
} from './generator-flags.ts';
import type { SpecFlags } from './generator-flags.ts';
import { generatorPreviewCommand } from './generator-preview.ts';
import { scheduleCommand, unscheduleCommand } from './generator-schedule.ts';
import { generatorStatsCommand } from './generator-stats.ts';
import { generatorStatusCommand } from './generator-status.ts';
import { grouped, printJson, printLine } from './output.ts';
import { generatorNamed } from './running-generators.ts';
import { ensureWorkflow } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

const WHERE_TEMPORAL: readonly SettingName[] = ['topic', 'home', 'temporalAddress', 'temporalNamespace', 'logLevel'];

/** The group of commands. */
export function generatorCommand(): Command {
  return createCommand({
    name: 'generator',
    summary: 'make events: start, stop, change the rate, at once or on a schedule; or look at them, without Kafka',
    examples: [
      ['weir generator start --rate 2000', 'six types of events of simulated shoppers, 2,000 a second'],
      ['weir generator status --watch', 'what every generator does'],
      ['weir generator preview --events 20', 'what such events look like'],
    ],
  })
    .addCommand(startCommand())
    .addCommand(rateCommand())
    .addCommand(verb('stop', 'stop making events for good'))
    .addCommand(verb('pause', 'make no events until resumed'))
    .addCommand(verb('resume', 'go on making events, from the present moment'))
    .addCommand(generatorStatusCommand(WHERE_TEMPORAL))
    .addCommand(scheduleCommand(WHERE_TEMPORAL))
    .addCommand(unscheduleCommand(WHERE_TEMPORAL))
    .addCommand(generatorPreviewCommand())
    .addCommand(generatorExportCommand())
    .addCommand(generatorStatsCommand());
}

type StartFlags = SpecFlags & { readonly name: string; readonly startTime?: number; readonly json?: boolean };

function startCommand(): Command {
  const start = withSpecFlags(
    createCommand({
      name: 'start',
      summary: 'start a generator; its workflow runs on the workers until its end is reached or it is stopped',
      more: `The same seed makes the same events again, at the times at which they are due. Shares are fractions of all messages, 0 to 1. ${PROFILES_EXPLAINED}`,
      examples: [
        ['weir generator start --rate 2000 --disorder 0.01 --late 0.001', 'live events, a few out of order or late'],
        [
          'weir generator start --name sale --rate 200 --profile burst --for 5m',
          'a flash sale, over after five minutes',
        ],
        [
          'weir generator start --name history --rate 50 --profile daily --start-time 2026-01-01T00:00:00Z --for 1d',
          'a day of the past, as fast as Kafka takes it',
        ],
      ],
      settings: WHERE_TEMPORAL,
    }).option('--name <name>', 'name of the generator', GENERATOR_DEFAULTS.name),
  );
  return withStartTime(start, 'make history from this ISO time on, as fast as possible')
    .option('--json', 'print the specification as JSON')
    .action(async (flags: StartFlags, command: Command) => {
      const { settings } = settingsOf(command);
      const { topic } = settings;
      const spec = specOf({ topic, name: flags.name, seed: newSeed(), startTimeMs: flags.startTime ?? null }, flags);
      await withControl(settings, async (control) => {
        const id = generatorId(spec.name);
        if (await control.isRunning(id)) {
          throw new CliFailure(
            `The generator ${spec.name} runs already; stop it (weir generator stop --name ${spec.name}) or give another --name.`,
          );
        }
        const summary = specSentence(spec);
        await ensureWorkflow(control, {
          type: 'generateEvents',
          id,
          queue: 'generator',
          input: { spec },
          memo: { spec },
          summary,
        });
        if (flags.json) printJson(spec);
        else {
          printLine(`The generator ${spec.name} is started: ${summary}, seed ${spec.seed}.`);
          printLine('`weir generator status` shows what it does.');
        }
      });
    });
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

function withName(command: Command): Command {
  return command
    .option('--name <name>', 'name of the generator', GENERATOR_DEFAULTS.name)
    .option('--json', 'print the state as JSON');
}

/** Longer than the generator takes to answer, done or not; shorter than anybody waits for a worker that is not there. */
const UPDATE_WITHIN_MS = 5_000;

async function tell(
  update: { name: UpdateName; args: unknown[] },
  { name, json }: VerbFlags,
  command: Command,
): Promise<void> {
  const { settings } = settingsOf(command);
  await withControl(settings, async (control) => {
    const target = await generatorNamed(control, name);
    const options = { args: update.args, withinMs: UPDATE_WITHIN_MS };
    const state = await control.update<GeneratorState>(target, update.name, options);
    if (json) printJson(state);
    else printLine(`${target.title} ${DONE[update.name](state)}`);
  });
}

type UpdateName = 'stop' | 'pause' | 'resume' | 'setRate';

const MEANWHILE = 'as soon as Kafka has acknowledged what is on its way';

/** What the Update did, or that it is still being done: the lease in hand may have to wait for Kafka. */
const DONE: Record<UpdateName, (state: GeneratorState) => string> = {
  stop: (state) =>
    state.phase === 'stopped' || state.phase === 'finished'
      ? `is ${state.phase}: ${sentOf(state)}.`
      : `is asked to stop and ends ${MEANWHILE} (${state.phase}).`,
  pause: (state) =>
    state.phase === 'paused'
      ? `is paused: ${sentOf(state)}; \`weir generator resume\` goes on.`
      : `is asked to pause and does so ${MEANWHILE} (${state.phase}).`,
  resume: ({ rate, message }) => `goes on at ${grouped(rate)} a second. ${message}`,
  setRate: ({ phase, rate, reschedule, message, segment }) => {
    if (phase === 'paused') return `is paused; it will go on at ${grouped(rate)} a second.`;
    return reschedule
      ? `will send ${grouped(rate)} a second, ${MEANWHILE}. ${message}`
      : `sends ${grouped(rate)} a second from message ${grouped(segment.fromIndex)} on.`;
  },
};

const sentOf = ({ nextIndex, count }: GeneratorState): string =>
  `${grouped(nextIndex)}${count === null ? '' : ` of ${grouped(count)}`} messages sent`;
