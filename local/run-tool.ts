// Runs a build tool to its end: its output goes to a log, and a line every few seconds says that it is still at work.
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { toolEnvironment } from './machine.ts';
import { StackError } from './stack-error.ts';

const REPORT_EVERY_MS = 10_000;

export type ToolRun = {
  /** What the person reads: "Maven downloads Kafka". */
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** Root runs some tools as another user. */
  readonly userId?: number;
  readonly groupId?: number;
  readonly logFile: string;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Resolves when the tool ended well; throws StackError with its last line otherwise. */
export async function runTool(run: ToolRun): Promise<void> {
  mkdirSync(dirname(run.logFile), { recursive: true });
  writeFileSync(run.logFile, '');
  const output = openSync(run.logFile, 'a');
  const startedAt = Date.now();
  const ticker = setInterval(() => {
    run.report(`${run.what}: ${Math.round((Date.now() - startedAt) / 1000)} s so far`);
  }, REPORT_EVERY_MS);
  try {
    const failure = await new Promise<string | null>((resolve) => {
      const child = spawn(run.command, [...run.args], {
        cwd: run.folder,
        stdio: ['ignore', output, output],
        env: toolEnvironment(run.environment),
        ...(run.userId !== undefined && { uid: run.userId }),
        ...(run.groupId !== undefined && { gid: run.groupId }),
        ...(run.signal && { signal: run.signal }),
      });
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(code === 0 ? null : `it ended with ${signal ?? `code ${code}`}`));
    });
    run.signal?.throwIfAborted();
    if (failure === null) return;
    appendFileSync(run.logFile, `\n${failure}\n`);
    throw new StackError(`${run.what}, but ${failure}; ${lastLine(run.logFile)} Read ${run.logFile}, then try again.`);
  } finally {
    clearInterval(ticker);
    closeSync(output);
  }
}

function lastLine(path: string): string {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.find((line) => /^\[ERROR\]|error:|cannot|Could not/.test(line)) ?? lines.at(-2);
  return telling === undefined ? 'it said nothing.' : `it said "${telling.slice(0, 300)}".`;
}
