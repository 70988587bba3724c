// `weir dead-letters replays`: which replays run or ran, what came of them, and how to halt, hurry or end one.
import type { Command } from 'commander';

import { replayId } from '../pipeline/ids.ts';
import { amount } from '../pipeline/setting-values.ts';
import { lettersDone } from '../workflows/replay-state.ts';
import type { ReplayState } from '../workflows/replay-state.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { newestRuns } from './newest-runs.ts';
import type { ListedRun } from './newest-runs.ts';
import { grouped, plural, printJson, printLine, tableOf, timeText } from './output.ts';
import { outcomeJson } from './replay-text.ts';
import { replayTarget } from './targets.ts';
import { withControl } from './with-servers.ts';

type Flags = { readonly limit: number; readonly json?: boolean };

/** The command, which lists, and its verbs. */
export function replaysCommand(): Command {
  const command = createCommand({
    name: 'replays',
    summary: 'the newest replays of the topic: progress and outcome; pause, resume, cancel one or change its rate',
    examples: [
      ['weir dead-letters replays', 'newest first'],
      ['weir dead-letters replays pause 5f2c90ab', 'let that one rest'],
    ],
    settings: WHERE,
  });
  return command
    .option('--limit <count>', 'how many', parsedBy(amount(1, 1000)), 20)
    .option('--json', 'print JSON')
    .action(async ({ limit, json }: Flags, itself: Command) => {
      const { settings } = settingsOf(itself);
      await withControl(settings, async (control) => {
        const which = {
          type: 'replayDeadLetters',
          topic: settings.topic,
          limit,
          idOf: replayId,
          targetOf: replayTarget,
        };
        const listed = await newestRuns<ReplayState>(control, which);
        if (json) printJson(listed.map(listedJson));
        else print(listed);
      });
    })
    .addCommand(verb('pause', 'let a replay rest between two pages of letters'))
    .addCommand(verb('resume', 'let a replay go on from where it rests'))
    .addCommand(verb('cancel', 'end a replay; what it has sent stays sent'))
    .addCommand(rateCommand());
}

/** One replay for programs; where nobody could say more than Temporal's own status, nothing more. */
const listedJson = ({ id, startedMs, status, state }: ListedRun<ReplayState>) => {
  const started = { id, startedAt: new Date(startedMs).toISOString(), phase: status };
  if (state === null) return started;
  const { outcome: _phase, ...of } = outcomeJson(state);
  const { meant, repair, rate } = state;
  return { ...started, meant, repair, rate, lettersDone: lettersDone(state), ...of };
};

function print(listed: readonly ListedRun<ReplayState>[]): void {
  if (listed.length === 0) {
    printLine('No replay of this topic is known; `weir dead-letters replay` starts one.');
    return;
  }
  const rows = listed.map(({ id, startedMs, status, state }) => {
    const count = (of: number | undefined): string => (of === undefined ? '-' : grouped(of));
    const progress = state ? `${grouped(lettersDone(state))} of ${grouped(state.letters)}` : '-';
    const { recovered, replaced, parked } = state?.outcomes ?? {};
    return [
      id,
      timeText(startedMs),
      status,
      progress,
      count(state?.sent),
      count(recovered),
      count(replaced),
      count(parked),
    ];
  });
  printLine(tableOf(['id', 'started', 'phase', 'letters done', 'sent', 'recovered', 'refused again', 'parked'], rows));
}

function verb(name: 'pause' | 'resume' | 'cancel', summary: string): Command {
  return createCommand({
    name,
    summary,
    examples: [
      [`weir dead-letters replays ${name} 5f2c90ab`, `${name}s that one; \`weir dead-letters replays\` names them`],
    ],
    settings: WHERE,
  })
    .argument('<id>', 'id of the replay')
    .option('--json', 'print the state as JSON')
    .action(async (id: string, { json }: { json?: boolean }, command: Command) => {
      await tell({ id, update: name, args: [], json }, command);
    });
}

function rateCommand(): Command {
  return createCommand({
    name: 'rate',
    summary: 'let a replay send more or fewer letters a second',
    examples: [['weir dead-letters replays rate 5f2c90ab 100', 'a hundred a second from now on']],
    settings: WHERE,
  })
    .argument('<id>', 'id of the replay')
    .argument('<number>', 'letters a second, at most', parsedBy(amount(1, 100_000)))
    .option('--json', 'print the state as JSON')
    .action(async (...[id, rate, { json }, command]: [string, number, { json?: boolean }, Command]) => {
      await tell({ id, update: 'setRate', args: [rate], json }, command);
    });
}

const rateText = (update: string, { rate }: ReplayState): string =>
  update === 'setRate' ? `, at most ${plural(rate, 'letter')} a second` : '';

type Told = {
  readonly id: string;
  readonly update: string;
  readonly args: number[];
  readonly json: boolean | undefined;
};

async function tell({ id, update, args, json }: Told, command: Command): Promise<void> {
  const { settings } = settingsOf(command);
  await withControl(settings, async (control) => {
    // The page in hand is waited for.
    const state = await control.update<ReplayState>(replayTarget(id), update, { args, withinMs: 35_000 });
    if (json) printJson(state);
    else
      printLine(`Replay ${id} of topic ${state.topic} is ${state.phase}${rateText(update, state)}. ${state.message}`);
  });
}
