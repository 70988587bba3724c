// `weir generator start`: starts a workflow that makes events, and says what became of it at once.
import type { Command } from 'commander';

import { GENERATOR_DEFAULTS } from '../generator/generator-spec.ts';
import { generatorId } from '../pipeline/ids.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import { waitMs } from '../workers/interrupts.ts';
import { createCommand, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { flawsOf } from './flaws.ts';
import { PROFILES_EXPLAINED, newSeed, specOf, specSentence, withSpecFlags, withStartTime } from './generator-flags.ts';
import type { SpecFlags } from './generator-flags.ts';
import { plural, printJson, printLine } from './output.ts';
import { NO_WORKER, SILENT, generatorReport } from './running-generators.ts';
import { ensureWorkflow } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

type StartFlags = SpecFlags & { readonly name: string; readonly startTime?: number; readonly json?: boolean };

/** The command. */
export function generatorStartCommand(settings: readonly SettingName[]): Command {
  const start = withSpecFlags(
    createCommand({
      name: 'start',
      summary: 'start a generator; its workflow runs on the workers until its end is reached or it is stopped',
      more: `The same seed makes the same events again, at the times at which they are due. Shares are fractions of all messages, 0 to 1. Above some 75 events a second for 10,000 users, and 150 for any number, everybody is in a hurry: there are as many sessions as the rate asks for, each in less time than people take. Generators of different seeds know different people by the same user ids, so one topic should have one of them at a time if its sessions matter. ${PROFILES_EXPLAINED}`,
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
      settings,
    }).option('--name <name>', 'name of the generator', GENERATOR_DEFAULTS.name),
  );
  return withStartTime(start, 'make history from this ISO time on, as fast as possible')
    .option('--json', 'print the specification as JSON')
    .action(async (flags: StartFlags, command: Command) => {
      const { settings: given } = settingsOf(command);
      const spec = specOf(
        { topic: given.topic, name: flags.name, seed: newSeed(), startTimeMs: flags.startTime ?? null },
        flags,
      );
      await withControl(given, async (control) => {
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
          details: `Sends to topic **${spec.topic}**: ${summary}, seed ${spec.seed}, ${flawsOf(spec)}. \`weir generator rate\`, \`pause\` and \`stop\` speak to it.`,
          topic: spec.topic,
        });
        if (flags.json) printJson(spec);
        else {
          printLine(`The generator ${spec.name} is started: ${summary}, seed ${spec.seed}, ${flawsOf(spec)}.`);
          printLine(await firstSign(control, id));
        }
      });
    });
}

const SIGN_WITHIN_MS = 900;
const LOOK_EVERY_MS = 100;

/** What it does a moment after its start, in a sentence: nobody should have to ask whether it came to anything. */
async function firstSign(control: Control, id: string): Promise<string> {
  const deadlineMs = performance.now() + SIGN_WITHIN_MS;
  const never = new AbortController().signal;
  for (;;) {
    const leftMs = Math.max(LOOK_EVERY_MS, deadlineMs - performance.now());
    const report = await generatorReport(control, id, { orDid: true, withinMs: leftMs });
    if (report?.trouble) return `It waits: ${report.trouble}`;
    if (report?.acknowledged) {
      return `${plural(report.acknowledged, 'message')} sent so far; \`weir generator status\` shows what it does.`;
    }
    if (performance.now() >= deadlineMs) {
      if (report?.phase === NO_WORKER) return SILENT;
      return 'It has sent nothing yet; `weir generator status` shows what it does.';
    }
    await waitMs(LOOK_EVERY_MS, never);
  }
}
