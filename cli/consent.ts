// Asks a person before something that cannot be undone.
import { createInterface } from 'node:readline/promises';

import { CliFailure } from './failure.ts';

type Question = {
  readonly question: string;
  /** The sentence where nobody can be asked, because this is no terminal. */
  readonly unasked: string;
};

/** Whether the person types yes. Throws CliFailure (usage) with `unasked` without a terminal. */
export async function saysYes({ question, unasked }: Question): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) throw new CliFailure(unasked);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(`${question} Type yes to go on: `)).trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}
