// `weir generator schedule`: generators that Temporal starts by itself, at the times of a cron line or every so often.
import type { ScheduleOptions, ScheduleSpec } from '@temporalio/client';
import { Argument, Option } from 'commander';
import type { Command } from 'commander';

import { formatDuration } from '../pipeline/duration.ts';
import { TASK_QUEUES, generatorId } from '../pipeline/ids.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import { duration } from '../pipeline/setting-values.ts';
import { createCommand, parsedBy, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { PROFILES_EXPLAINED, specOf, specSentence, withSpecFlags } from './generator-flags.ts';
import type { SpecFlags } from './generator-flags.ts';
import { OVERLAPS, describeSchedule, explainSchedule } from './generator-schedules.ts';
import type { OverlapName, ScheduleMemo, ScheduleReport } from './generator-schedules.ts';
import { scheduleListCommand, scheduleVerb } from './generator-schedule-list.ts';
import { printJson, printLine } from './output.ts';
import { TOPIC_KEY, hasSearchAttributes } from './search-attributes.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

type Flags = SpecFlags & {
  readonly cron?: string;
  readonly every?: number;
  readonly timeZone: string;
  readonly overlap: OverlapName;
  readonly catchUp: number;
  readonly paused?: boolean;
  readonly json?: boolean;
};

/** Commands beside `schedule NAME`, which a schedule can't be called. */
const VERBS = new Set(['list', 'pause', 'resume', 'trigger', 'remove', 'help']);
const EVERY = parsedBy(duration('1s', '365d'));
const CATCH_UP = parsedBy(duration('10s', '365d'));

/** The command and the ones below it. */
export function scheduleCommand(settings: readonly SettingName[]): Command {
  const command = createCommand({
    name: 'schedule',
    summary:
      'start a generator at the times of a cron line or every so often; list, pause, trigger, remove such schedules',
    more: [
      'Every run is a workflow generator/NAME-TIME with a seed of its own (the same one each time with --seed), shown by',
      '`weir generator status`. A run needs an end: --for or --count. Overlap says what happens when a run is due while the',
      'last one goes on: skip it; buffer-one or buffer-all, to begin when that ends; allow-all; cancel-other, which ends the',
      'last one cleanly, or terminate-other, which does not ask it. Runs that Temporal missed by more than --catch-up, because',
      `it was down, are not made up for. ${PROFILES_EXPLAINED}`,
    ].join('\n'),
    examples: [
      ['weir generator schedule night --cron "0 2 * * *" --time-zone Europe/Berlin --rate 50 --for 3h', 'every night'],
      ['weir generator schedule sale --every 1h --rate 200 --profile burst --for 5m', 'a flash sale every hour'],
      ['weir generator schedule list', 'all of them: next runs, last runs, paused or not'],
      ['weir generator schedule trigger sale', 'a run at once, besides the others'],
    ],
    settings,
  })
    .addArgument(new Argument('[name]', 'name of the schedule and of its generators'))
    .addOption(new Option('--cron <line>', 'minute hour day month weekday, or @hourly, @daily, ...').conflicts('every'))
    .addOption(new Option('--every <duration>', 'time from one start to the next, such as 30m').argParser(EVERY))
    .option('--time-zone <zone>', 'in which the cron line is read, such as Europe/Berlin', 'UTC')
    .addOption(
      new Option('--overlap <policy>', 'when the last run still goes on')
        .choices(Object.keys(OVERLAPS))
        .default('skip' satisfies OverlapName),
    )
    .addOption(
      new Option('--catch-up <duration>', 'how late a run may still begin after an outage of Temporal')
        .argParser(CATCH_UP)
        .default(60_000, '1m'),
    )
    .option('--paused', 'make it, but let it start nothing until `weir generator schedule resume`')
    .option('--json', 'print the schedule as JSON');
  withSpecFlags(command).action(async (name: string | undefined, flags: Flags, called: Command) => {
    const { topic } = settingsOf(called).settings;
    const options = scheduleOptions(topic, name, flags);
    const report = await withControl(settingsOf(called).settings, async (control) => {
      await createSchedule(control, options, topic);
      return await describeSchedule(control, options.scheduleId);
    });
    if (flags.json) printJson(report);
    else print(report);
  });
  command.addCommand(scheduleListCommand(settings));
  for (const verb of ['pause', 'resume', 'trigger', 'remove'] as const)
    command.addCommand(scheduleVerb(verb, settings));
  return command;
}

/** `weir generator unschedule NAME`: another name of `schedule remove`. */
export function unscheduleCommand(settings: readonly SettingName[]): Command {
  return scheduleVerb('unschedule', settings);
}

/**
 * Gives Temporal a schedule to keep. What it starts is found by its topic, like a generator that is started by hand, where the
 * server has the search attributes by now. Throws CliFailure with what Temporal does not take.
 */
export async function createSchedule({ client }: Control, options: ScheduleOptions, topic: string): Promise<void> {
  const typedSearchAttributes = [{ key: TOPIC_KEY, value: topic }];
  const searchable = await hasSearchAttributes(client);
  const action = { ...options.action, ...(searchable ? { typedSearchAttributes } : {}) };
  try {
    await client.schedule.create({ ...options, action });
  } catch (thrown) {
    throw explainSchedule(thrown, nameOf(options));
  }
}

const nameOf = ({ scheduleId }: ScheduleOptions): string => scheduleId.slice(generatorId('').length);

/** What Temporal is asked to keep. Throws CliFailure with what is missing. */
export function scheduleOptions(topic: string, name: string | undefined, flags: Flags): ScheduleOptions {
  if (name === undefined || VERBS.has(name)) {
    throw new CliFailure('Say what the schedule is called; `weir generator schedule --help` has examples.');
  }
  if (flags.for === undefined && flags.count === undefined) {
    throw new CliFailure('Say when a run ends: --for 10m or --count 1000; else the first would go on for ever.');
  }
  const { when, ...spec } = whenOf(flags);
  const made = specOf({ topic, name, seed: flags.seed ?? 0 }, flags);
  const sentence = specSentence(made);
  const lasts = flags.seed === undefined ? 'a new seed each run' : `seed ${flags.seed} each run`;
  const memo: ScheduleMemo = { spec: made, when, seedFromStart: flags.seed === undefined };
  return {
    scheduleId: generatorId(name),
    spec,
    policies: { overlap: OVERLAPS[flags.overlap], catchupWindow: flags.catchUp },
    action: {
      type: 'startWorkflow',
      workflowType: 'generateEvents',
      workflowId: generatorId(name),
      taskQueue: TASK_QUEUES.generator,
      args: [{ spec: made, seedFromStart: memo.seedFromStart }],
      memo: { ...memo },
      staticSummary: `${name}: ${sentence}`,
      staticDetails: `Started by the schedule \`${generatorId(name)}\`, ${when}: ${sentence}, ${lasts}.`,
    },
    memo: { ...memo },
    state: { paused: flags.paused ?? false, note: `${sentence}; ${when}; ${lasts}` },
  };
}

function whenOf({ cron, every, timeZone }: Flags): ScheduleSpec & { when: string } {
  if (cron !== undefined) {
    // Temporal takes a zone inside the line as well: one place for it is enough.
    const line = cron.trim();
    return { cronExpressions: [line], timezone: timeZone, when: `cron ${line} in ${timeZone}` };
  }
  if (every === undefined) {
    throw new CliFailure('Say when it runs: --cron "0 2 * * *" or --every 30m.');
  }
  return { intervals: [{ every }], when: `every ${formatDuration(every)}` };
}

function print({ name, when, spec, overlap, catchUpMs, paused, nextRuns }: ScheduleReport): void {
  printLine(`The schedule ${name} is made: ${when}, ${specSentence(spec)}, overlap ${overlap}.`);
  printLine(`Runs that Temporal misses by more than ${formatDuration(catchUpMs)} are left out.`);
  if (paused) printLine(`It is paused; \`weir generator schedule resume ${name}\` lets it run.`);
  else if (nextRuns.length === 0) printLine('It has no next run: its times lie in the past.');
  else
    printLine(
      `Next runs: ${nextRuns.slice(0, 3).join(', ')}. A worker must be up then (\`weir worker\` or \`weir up\`).`,
    );
}
