// The process behind `weir`: one call is run, and every failure ends here in one sentence and an exit code.
import { CommanderError } from 'commander';

import { unknownVariables } from '../pipeline/settings.ts';
import { environment } from './environment.ts';
import { reportFailure } from './failure.ts';
import { printProgress } from './output.ts';
import { createProgram } from './program.ts';

/** Runs one call. Sets the exit code; never throws. */
async function main(argv: readonly string[]): Promise<void> {
  for (const name of unknownVariables(environment())) {
    printProgress(`weir: ${name} is set, but there is no such setting; \`weir doctor\` lists them.`);
  }
  try {
    await createProgram().parseAsync([...argv]);
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) reportFailure(thrown);
    else if (thrown.exitCode !== 0) process.exitCode = 2;
  }
}

// `weir ... | head` closes the pipe early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

await main(process.argv);
