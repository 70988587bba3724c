// A file that is written whole or not at all: under another name until its last byte is on the disk.
import { once } from 'node:events';
import { open, rename, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { messageOf } from '../pipeline/ensure.ts';
import { CliFailure } from './failure.ts';

/** Where bytes go; `isSeen`: a person sees them. Either `finish` or `discard` ends it; `discard` after `finish` does nothing. */
export type Sink = {
  readonly isSeen: boolean;
  write(bytes: Buffer): Promise<void>;
  finish(): Promise<void>;
  discard(): Promise<void>;
};

/**
 * Opens a file for writing. Throws CliFailure when there is one already and `replace` is false, or when its folder does not
 * take it. What is no plain file (/dev/null, a pipe) is written directly.
 */
export async function openWholeFile(path: string, { replace }: { readonly replace: boolean }): Promise<Sink> {
  const there = await stat(path).catch(() => null);
  if (there?.isDirectory()) throw new CliFailure(`${path} is a folder; name a file in it.`);
  if (there?.isFile() && !replace) {
    throw new CliFailure(`${path} is there already; --force replaces it, or give another name.`);
  }
  const isPlain = there === null || there.isFile();
  const meanwhile = isPlain ? `${path}.${process.pid}.partial` : path;
  const file = await explained(path, async () => await open(meanwhile, 'w'));
  return sinkOf({ path, meanwhile, file });
}

function sinkOf({ path, meanwhile, file }: { path: string; meanwhile: string; file: FileHandle }): Sink {
  const isPlain = meanwhile !== path;
  let isOver = false;
  return {
    isSeen: false,
    write: async (bytes) => await explained(path, async () => await file.writeFile(bytes)),
    finish: async () =>
      await explained(path, async () => {
        if (isPlain) await file.sync();
        await file.close();
        if (isPlain) await rename(meanwhile, path);
        isOver = true;
      }),
    discard: async () => {
      if (isOver) return;
      isOver = true;
      // What cannot be removed any more is not worth another failure.
      await file.close().catch(() => {});
      if (isPlain) await unlink(meanwhile).catch(() => {});
    },
  };
}

/** Standard output as such a sink; what was written cannot be taken back. */
export function standardOutput(): Sink {
  return {
    isSeen: process.stdout.isTTY,
    write: async (bytes) => {
      if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
    },
    finish: async () => {},
    discard: async () => {},
  };
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new CliFailure(`${path} cannot be written: ${messageOf(cause)}; see to that, or name another file.`, {
      cause,
    });
  }
}
