// Outlives a test run that ends without cleaning up (Ctrl-C: vitest exits at once; a kill) and then stops the run's servers.
// Run as a process of its own: server-guardian.ts <home> <process id of the run>.
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { identify, isAlive } from '../../local/process-identity.ts';
import { resetStack } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { unmountInside } from '../chaos/small-disk.ts';

const home = must(process.argv[2], 'the home of the run');
const run = identify(Number(process.argv[3]));
const isRunning = (): boolean => run !== null && isAlive(run);
// A run that cleans up deletes its home.
while (existsSync(home) && isRunning()) await pause(500);
if (existsSync(home)) {
  await resetStack({ home });
  unmountInside(home);
  rmSync(home, { recursive: true, force: true });
}
