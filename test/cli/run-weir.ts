// Runs the real `weir` command as a person would, and returns what it printed and how it ended.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll } from 'vitest';

const WEIR = fileURLToPath(new URL('../../cli/weir.js', import.meta.url));

/** A home of this test file without a local stack; a command may write into it without another file's commands seeing it. */
export const EMPTY_HOME = mkdtempSync(join(tmpdir(), 'weir-home-'));
afterAll(() => {
  rmSync(EMPTY_HOME, { recursive: true, force: true });
});

type EndedWith<Output> = { readonly code: number; readonly stdout: Output; readonly stderr: string };
export type Ended = EndedWith<string>;

/** Runs `weir` with these arguments; `env` replaces every WEIR_ variable of the test run. */
export async function runWeir(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const ended = await runWeirForBytes(args, env);
  return { ...ended, stdout: ended.stdout.toString() };
}

/** The same for what it writes that is no text. */
export async function runWeirForBytes(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<EndedWith<Buffer>> {
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('WEIR_'));
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      [WEIR, ...args],
      {
        env: { ...Object.fromEntries(inherited), ...env },
        timeout: 110_000,
        encoding: 'buffer',
        maxBuffer: 64 * 1_048_576,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr: stderr.toString() });
      },
    );
  });
}
