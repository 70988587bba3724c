// A person's transform becomes one piece of JavaScript: TypeScript and what it imports, small enough for a workflow's arguments.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

import { TransformThread, UnusableTransformError } from '../activities/transform-thread.ts';
import { CliFailure } from './failure.ts';
import { grouped } from './output.ts';

/** What is used of esbuild, which tsx brings along. */
type Esbuild = {
  build(
    options: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>;
};

/** It goes into the arguments of the workflow and of each lease. */
const MOST_BYTES = 65_536;

/** The compiled source of a file that exports a function by default; tried out in a thread. Throws CliFailure. */
export async function compileTransform(file: string): Promise<string> {
  const path = resolve(file);
  if (!existsSync(path))
    throw new CliFailure(`There is no file ${path}; --transform takes a TypeScript or JavaScript file.`);
  const require = createRequire(import.meta.url);
  const esbuild: Esbuild = createRequire(require.resolve('tsx/package.json'))('esbuild');
  const [built] = await esbuild
    .build({
      entryPoints: [path],
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      write: false,
      logLevel: 'silent',
    })
    .then(
      ({ outputFiles }) => outputFiles,
      (cause: unknown) => {
        throw new CliFailure(`${file} cannot be compiled: ${firstLine(cause)}`, { cause });
      },
    );
  const source = built?.text ?? '';
  const bytes = Buffer.byteLength(source);
  if (bytes > MOST_BYTES) {
    throw new CliFailure(
      `${file} has ${grouped(bytes)} bytes compiled with what it imports, and a transform may have ${grouped(MOST_BYTES)}; import less.`,
    );
  }
  await tryOut(file, source);
  return source;
}

async function tryOut(file: string, source: string): Promise<void> {
  const thread = new TransformThread(source);
  try {
    await thread.open();
  } catch (cause) {
    if (!(cause instanceof UnusableTransformError)) throw cause;
    throw new CliFailure(`${cause.message} ${file} must hold \`export default (letter) => letter\` or the like.`, {
      cause,
    });
  } finally {
    await thread.close();
  }
}

/** esbuild's message begins with a line that only counts the errors. */
function firstLine(thrown: unknown): string {
  const lines = String(thrown instanceof Error ? thrown.message : thrown).split('\n');
  return (lines.find((line) => line.includes('ERROR')) ?? lines[0] ?? '').trim();
}
