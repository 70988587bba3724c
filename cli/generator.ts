// `weir generator`: changes the rate of workflows that make events, pauses and stops them; all else about them is beside it.
import type { Command } from 'commander';

import { GENERATOR_DEFAULTS } from '../generator/generator-spec.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import type { GeneratorState } from '../workflows/generator-state.ts';
import { createCommand, settingsOf } from './command.ts';
import { generatorExportCommand } from './generator-export.ts';
import { number } from './generator-flags.ts';
import { generatorPreviewCommand } from './generator-preview.ts';
import { scheduleCommand, unscheduleCommand } from './generator-schedule.ts';
import { generatorStartCommand } from './generator-start.ts';
import { generatorStatsCommand } from './generator-stats.ts';
import { generatorStatusCommand } from './generator-status.ts';
import { grouped, printJson, printLine } from './output.ts';
import { generatorNamed } from './running-generators.ts';
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
    .addCommand(generatorStartCommand(WHERE_TEMPORAL))
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
    else printLine(`${target.title} ${DONE[update.name](state, name)}`);
  });
}

type UpdateName = 'stop' | 'pause' | 'resume' | 'setRate';

const MEANWHILE = 'as soon as Kafka has acknowledged what is on its way';
/** The lease gives up by then; what it leaves unconfirmed is made once more, if ever it goes on. */
const AT_LAST = `${MEANWHILE}, in ten seconds at the latest`;

/** What the Update did, or that it is still being done: the lease in hand may have to wait for Kafka. */
const DONE: Record<UpdateName, (state: GeneratorState, name: string) => string> = {
  stop: (state) =>
    state.phase === 'stopped' || state.phase === 'finished'
      ? `is ${state.phase}: ${sentOf(state)}.`
      : `is asked to stop and ends ${AT_LAST} (${state.phase}).`,
  pause: (state, name) =>
    state.phase === 'paused'
      ? `is paused: ${sentOf(state)}; \`weir generator resume --name ${name}\` goes on.`
      : `is asked to pause and does so ${AT_LAST} (${state.phase}).`,
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
