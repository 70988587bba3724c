// `weir generator preview`: the first events that a generator would make, as people read them; no server is needed.
import type { Command } from 'commander';

import { amount } from '../pipeline/setting-values.ts';
import { createCommand, parsedBy } from './command.ts';
import { flawsOf } from './flaws.ts';
import { PROFILES_EXPLAINED, paceSentence } from './generator-flags.ts';
import { withOfflineFlags } from './offline-flags.ts';
import type { OfflineFlags } from './offline-flags.ts';
import type { OfflineRun } from './offline-run.ts';
import { plural, printJson, printLine, tableOf } from './output.ts';
import type { ToldMessage } from './told-message.ts';

type Flags = OfflineFlags & { readonly events: number; readonly skip: number; readonly json?: boolean };

/** The command. */
export function generatorPreviewCommand(): Command {
  const command = createCommand({
    name: 'preview',
    summary: 'show events that a generator with these flags would make; needs no server',
    more: `Each line is a message: when it is due, who did what, and what is wrong with it, if anything was asked to be. ${PROFILES_EXPLAINED}`,
    examples: [
      ['weir generator preview --events 20', 'twenty events of a shop that just opened: many come in'],
      [
        'weir generator preview --skip 100000 --rate 5',
        'later on, at a rate at which one person is seen to do several things',
      ],
      [
        'weir generator preview --seed 7 --start-time 2026-01-01T00:00:00Z --disorder 0.2 --malformed 0.1',
        'always the same ones, some out of order and some malformed',
      ],
    ],
  })
    .option('--events <count>', 'how many messages to show', parsedBy(amount(1, 100_000)), 20)
    .option('--skip <count>', 'how many messages to leave out before them', parsedBy(amount(0, 1e12)), 0);
  return withOfflineFlags(command)
    .option('--json', 'print the messages as JSON')
    .action(async (flags: Flags) => {
      // Loaded here: the names of a whole shop, which no other command needs, take longer than all the rest.
      const { offlineRun } = await import('./offline-run.ts');
      const { describeMessages } = await import('./told-message.ts');
      const run = offlineRun(flags);
      const told = describeMessages(run.messages(flags.skip, flags.skip + flags.events), run.items);
      if (flags.json)
        printJson({ seed: run.spec.seed, startTime: new Date(run.startMs).toISOString(), messages: told });
      else printPreview(run, told);
    });
}

function printPreview({ spec, startMs }: OfflineRun, told: readonly ToldMessage[]): void {
  const rows = told.map(({ due, user, session, type, what, trouble }) => [due, user, session, type, what, trouble]);
  if (rows.length === 0) {
    printLine('Nothing falls due before its end; give a longer --for, a larger --count or a smaller --skip.');
    return;
  }
  const hasTrouble = told.some(({ trouble }) => trouble !== '');
  const headings = ['due', 'user', 'session', 'event', 'what', 'trouble'];
  const columns = hasTrouble ? headings.length : headings.length - 1;
  printLine(
    tableOf(
      headings.slice(0, columns),
      rows.map((row) => row.slice(0, columns)),
    ),
  );
  const from = new Date(startMs).toISOString();
  printLine(
    `\n${plural(rows.length, 'message')}: ${paceSentence(spec)}, seed ${spec.seed}, from ${from}; ${flawsOf(spec)}.`,
  );
}
