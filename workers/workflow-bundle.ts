// The workflows as Temporal's sandbox loads them: bundled once per content on a machine, then read from a file.
//
// Bundling takes seconds and hundreds of megabytes, so a process of its own does it; a worker starts without either.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode } from '@temporalio/worker';

import { buildOnce } from '../local/build-once.ts';
import { cacheFolder } from '../local/machine.ts';
import type { Log } from '../observability/log.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { temporalLogger } from './temporal-log.ts';

export type BundleOptions = {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Folder that holds the finished bundles; the user's cache folder when absent. */
  readonly cache?: string;
};

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SUFFIX = extname(import.meta.url);
const PROGRAM = fileURLToPath(new URL(`./bundle-program${SUFFIX}`, import.meta.url));
/** Enough for several checkouts and the versions between which a developer goes back and forth. */
const MOST_KEPT = 10;

/** Where the workflows are: as sources, or as what tsc made of them. */
export function workflowsPath(): string {
  return join(ROOT, 'workflows', `index${SUFFIX}`);
}

/**
 * The bundle of the present sources: the file that an earlier worker left, else made now. Where the cache folder cannot be
 * used it is bundled in this process, which the log says. Null when `signal` aborted first; throws when the code is broken.
 */
export async function bundleOfSources(options: BundleOptions): Promise<{ code: string } | null> {
  const { log, signal, cache = join(cacheFolder(), 'workflows') } = options;
  const startedMs = performance.now();
  try {
    const what = 'Bundling the workflows';
    const folder = join(cache, contentHash());
    const report = (line: string): void => log.info(line);
    await buildOnce({ folder, what, report, signal }, async (unfinished) => {
      await bundleApart(join(unfinished, 'bundle.js'), signal);
    });
    const code = readFileSync(join(folder, 'bundle.js'), 'utf8');
    removeOldest(cache);
    log.debug({ folder, ms: Math.round(performance.now() - startedMs) }, 'Workflows are bundled');
    return { code };
  } catch (error) {
    if (signal.aborted) return null;
    log.warn(
      `The workflows could not be bundled into ${cache} (${messageOf(error)}): this worker bundles them itself, which takes longer; see that the folder can be written.`,
    );
    return await bundleWorkflowCode({ workflowsPath: workflowsPath(), logger: temporalLogger(log) });
  }
}

/** Changes with every file that a bundle is made from, and with the place that its stack traces name. */
function contentHash(): string {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  const ours = ['workflows', 'pipeline'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(SUFFIX))
      .toSorted()
      .map((name) => join(ROOT, folder, name)),
  );
  const sdk = ['@temporalio/worker/package.json', '@temporalio/workflow/package.json'].map((name) =>
    require.resolve(name),
  );
  for (const file of [...ours, ...sdk]) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 16);
}

async function bundleApart(file: string, signal: AbortSignal): Promise<void> {
  const asSource = SUFFIX === '.ts' ? ['--import', 'tsx'] : [];
  const child = spawn(process.execPath, [...asSource, PROGRAM, file], {
    // Where tsx is found.
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said = `${said}${data.toString()}`.slice(-1_000);
  });
  const [code, endedBy] = await once(child, 'close');
  if (code === 0) return;
  throw new Error(`the process that bundles them ended with ${String(endedBy ?? code)}: ${said.trim()}`);
}

/** Bundles are made anew at any time: those that were made longest ago go. */
function removeOldest(cache: string): void {
  const folders = readdirSync(cache)
    .filter((name) => /^[\da-f]{16}$/.test(name))
    .map((name) => ({ path: join(cache, name), madeMs: statSync(join(cache, name)).mtimeMs }))
    .toSorted((one, other) => other.madeMs - one.madeMs);
  for (const { path } of folders.slice(MOST_KEPT)) rmSync(path, { recursive: true, force: true });
}
