// `weir dead-letters`: messages that could not become events: what there are, one of them as it came, what to send again, what to give up.
import type { Command } from 'commander';

import { createCommand } from './command.ts';
import { discardLettersCommand } from './dead-letters-discard.ts';
import { listLettersCommand } from './dead-letters-list.ts';
import { replayLettersCommand } from './dead-letters-replay.ts';
import { replaysCommand } from './dead-letters-replays.ts';
import { showLetterCommand } from './dead-letters-show.ts';

/** The group of commands. */
export function deadLettersCommand(): Command {
  return createCommand({
    name: 'dead-letters',
    summary: 'messages that could not become events: list and count them, look at one, send them again, give some up',
    examples: [
      ['weir dead-letters list --by reason', 'how many there are, and why'],
      ['weir dead-letters show 17', 'one of them: what it says, and where it is wrong'],
      ['weir dead-letters replay 17 --set device=mobile --dry-run', 'what it would become, were it repaired so'],
    ],
  })
    .addCommand(listLettersCommand())
    .addCommand(showLetterCommand())
    .addCommand(replayLettersCommand())
    .addCommand(replaysCommand())
    .addCommand(discardLettersCommand());
}
