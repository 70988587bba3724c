// Something that takes long to make and never changes: made once per machine, by one process, and seen only when whole.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { withFileLock } from './file-lock.ts';

export type OneBuild = {
  /** Where the finished folder lies; its name holds the version and a hash of what it is made from. */
  readonly folder: string;
  readonly what: string;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Answers `folder`, after `make(unfinishedFolder)` filled it when it does not exist yet. A failed make leaves nothing behind. */
export async function buildOnce(build: OneBuild, make: (unfinishedFolder: string) => Promise<void>): Promise<string> {
  if (existsSync(build.folder)) return build.folder;
  mkdirSync(dirname(build.folder), { recursive: true });
  const onWait = (holder: number): void =>
    build.report(`${build.what}: process ${holder} is at it already, waiting for it`);
  return withFileLock({ path: `${build.folder}.lock`, onWait, signal: build.signal }, async () => {
    if (existsSync(build.folder)) return build.folder;
    const unfinished = `${build.folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished);
    try {
      await make(unfinished);
      renameSync(unfinished, build.folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
    return build.folder;
  });
}

/** Eight hex digits that change when any of these files does. */
export function fingerprint(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 8);
}
