// `weir generator schedule list`, pause, resume, trigger, remove: what is planned, and what people do about it.
import type { Command } from 'commander';

import { generatorId } from '../pipeline/ids.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import { waitMs } from '../workers/interrupts.ts';
import { createCommand, settingsOf } from './command.ts';
import { profileName, specSentence } from './generator-flags.ts';
import { OVERLAPS, describeSchedule, explainSchedule, listSchedules } from './generator-schedules.ts';
import type { OverlapName, ScheduleReport } from './generator-schedules.ts';
import { grouped, printJson, printLine, tableOf } from './output.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

type Flags = { readonly json?: boolean };

export function scheduleListCommand(settings: readonly SettingName[]): Command {
  return createCommand({
    name: 'list',
    summary: 'the schedules: what they start and when, last runs and next ones',
    examples: [['weir generator schedule list --json', 'with everything that Temporal keeps of each']],
    settings,
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: Flags, command: Command) => {
      await withControl(settingsOf(command).settings, async (control) => {
        const schedules = await listSchedules(control);
        if (json) printJson({ schedules });
        else printLine(listText(schedules));
      });
    });
}

const HEADINGS = ['name', 'when', 'profile', 'makes', 'overlap', 'state', 'next runs', 'runs', 'last runs'];

/** A table, a line each; runs that did not take place are told below it. */
function listText(schedules: readonly ScheduleReport[]): string {
  if (schedules.length === 0) return 'There is no schedule; `weir generator schedule --help` shows how to make one.';
  const rows = schedules.map((each) => [
    each.name,
    each.when,
    profileName(each.spec),
    specSentence(each.spec),
    each.overlap,
    each.paused ? 'paused' : 'on',
    each.nextRuns.slice(0, 2).join('\n') || '-',
    grouped(each.runs),
    each.lastRuns.map(({ at, status }) => `${at} ${status}`).join('\n') || '-',
  ]);
  const sentences = schedules.flatMap(({ name, skippedByOverlap, missed }) => [
    ...(skippedByOverlap > 0
      ? [`${name}: ${grouped(skippedByOverlap)} runs left out, since the last one still went on.`]
      : []),
    ...(missed > 0 ? [`${name}: ${grouped(missed)} runs left out, since Temporal was down when they were due.`] : []),
  ]);
  return [tableOf(HEADINGS, rows), ...(sentences.length > 0 ? ['', ...sentences] : [])].join('\n');
}

type Verb = 'pause' | 'resume' | 'trigger' | 'remove' | 'unschedule';

const SUMMARIES: Record<Verb, string> = {
  pause: 'let a schedule start nothing until it is resumed; what runs goes on',
  resume: 'let a paused schedule start runs again',
  trigger: 'start a run of a schedule at once, by its overlap policy; also when it is paused',
  remove: 'remove a schedule; what runs goes on',
  unschedule: 'remove a schedule; what runs goes on (the same as schedule remove)',
};

/** One of the commands that take a schedule's name. */
export function scheduleVerb(verb: Verb, settings: readonly SettingName[]): Command {
  const line = verb === 'unschedule' ? 'weir generator unschedule' : `weir generator schedule ${verb}`;
  return createCommand({
    name: verb,
    summary: SUMMARIES[verb],
    examples: [[`${line} night`, `${SUMMARIES[verb].split(/[;,(]/)[0]?.trim()}`]],
    settings,
  })
    .argument('<name>', 'name of the schedule')
    .option('--json', 'print what was done as JSON')
    .action(async (name: string, { json }: Flags, command: Command) => {
      await withControl(settingsOf(command).settings, async (control) => {
        const done = await ACTIONS[verb](control, name).catch((thrown: unknown) => {
          throw explainSchedule(thrown, name);
        });
        if (json) printJson(done);
        else printLine(done.message);
      });
    });
}

type Done = { readonly name: string; readonly workflowId?: string | null; readonly message: string };

const ACTIONS: Record<Verb, (control: Control, name: string) => Promise<Done>> = {
  pause: pauseSchedule,
  resume: resumeSchedule,
  trigger: triggerSchedule,
  remove: removeSchedule,
  unschedule: removeSchedule,
};

const handleOf = ({ client }: Control, name: string) => client.schedule.getHandle(generatorId(name));

/** The note is what the Web UI shows: what the schedule is for stays in it. */
export async function pauseSchedule(control: Control, name: string): Promise<Done> {
  const { paused, note } = await describeSchedule(control, generatorId(name));
  if (paused) return { name, message: `The schedule ${name} is paused already.` };
  await handleOf(control, name).pause(`${note}; ${PAUSED}`);
  return {
    name,
    message: `The schedule ${name} is paused; \`weir generator schedule resume ${name}\` lets it run again.`,
  };
}

const PAUSED = 'paused with weir generator schedule pause';

/** Lets it start runs again. */
export async function resumeSchedule(control: Control, name: string): Promise<Done> {
  const { note } = await describeSchedule(control, generatorId(name));
  await handleOf(control, name).unpause(note.replace(`; ${PAUSED}`, ''));
  const { nextRuns } = await describeSchedule(control, generatorId(name));
  return { name, message: `The schedule ${name} runs; next: ${nextRuns.slice(0, 2).join(', ') || 'never'}.` };
}

/** Removes it; what runs goes on. */
export async function removeSchedule(control: Control, name: string): Promise<Done> {
  await handleOf(control, name).delete();
  return { name, message: `The schedule ${name} is removed; a run that goes on is left (\`weir generator status\`).` };
}

const STARTS_WITHIN_MS = 3_000;
const LOOK_EVERY_MS = 100;

/** Says what came of it: Temporal starts the run, or not, a moment after it was asked. */
export async function triggerSchedule(control: Control, name: string): Promise<Done> {
  const before = await describeSchedule(control, generatorId(name));
  const policy = OVERLAPS[isOverlap(before.overlap) ? before.overlap : 'skip'];
  await handleOf(control, name).trigger(policy);
  const never = new AbortController().signal;
  for (let waitedMs = 0; waitedMs < STARTS_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
    const now = await describeSchedule(control, generatorId(name));
    const [newest] = now.lastRuns;
    if (now.runs > before.runs && newest) {
      const { workflowId } = newest;
      return { name, workflowId, message: `The schedule ${name} is triggered: ${workflowId} runs.` };
    }
    if (now.skippedByOverlap > before.skippedByOverlap) {
      const message = `Nothing is started: a run of ${name} still goes on, and its overlap policy is ${now.overlap}.`;
      return { name, workflowId: null, message };
    }
    await waitMs(LOOK_EVERY_MS, never);
  }
  const message = `The schedule ${name} is triggered; the run begins when the one that goes on has ended (overlap ${before.overlap}).`;
  return { name, workflowId: null, message };
}

const isOverlap = (name: string): name is OverlapName => name in OVERLAPS;
