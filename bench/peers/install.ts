// Installing the peers: each into a folder of its own below the user's cache, once per machine and version.
import { copyFileSync, cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildOnce, fingerprint } from '../../local/build-once.ts';
import { cacheFolder, findTool } from '../../local/machine.ts';
import { runTool } from '../../local/run-tool.ts';
import { StackError } from '../../local/stack-error.ts';
import type { Install } from './system.ts';

/** Everything of this bench that is kept between runs lies here. */
export function peersFolder(): string {
  return join(cacheFolder(), 'peers');
}

/** The path of a file of this folder. */
export function fileHere(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** The path of a program; throws StackError when it is not on PATH. */
export function needTool(name: string, whatFor: string): string {
  const found = findTool(name);
  if (found !== null) return found;
  throw new StackError(
    `${whatFor} needs ${name} and there is none on PATH: install it, or leave the system out of --systems.`,
  );
}

export type Recipe = {
  /** Names the folder and the log: "flink-2.2.0". */
  readonly name: string;
  /** Files of this folder that it is made from: when one changes it is made anew. */
  readonly from: readonly string[];
};

export type Kitchen = {
  readonly folder: string;
  run(command: string, args: readonly string[]): Promise<void>;
};

/** Where a recipe's folder lies once it is there. */
export function installedFolder({ name, from }: Recipe): string {
  return join(peersFolder(), `${name}-${fingerprint(from.map(fileHere))}`);
}

/** Answers the folder, made by `cook` unless it is there. Throws StackError with what failed. */
export async function installOnce(
  recipe: Recipe,
  { report, signal }: Install,
  cook: (kitchen: Kitchen) => Promise<void>,
): Promise<string> {
  const what = `Installing ${recipe.name} (once)`;
  const logFile = join(cacheFolder(), 'logs', `peers-${recipe.name}.log`);
  return await buildOnce({ folder: installedFolder(recipe), what, report, signal }, async (folder) => {
    report(what);
    await cook({
      folder,
      run: async (command, args) => await runTool({ what, command, args, folder, logFile, report, signal }),
    });
  });
}

type Jars = { readonly pom: string; readonly into: string; readonly args?: readonly string[] };

/** Lets Maven copy what a pom names, with the repositories and mirrors that the machine's own Maven settings say. */
export async function copyJars(kitchen: Kitchen, { pom, into, args = [] }: Jars): Promise<void> {
  // Maven writes beside the pom it reads: a copy keeps the checkout clean.
  copyFileSync(fileHere(pom), join(kitchen.folder, 'pom.xml'));
  const goal = ['-B', '-ntp', ...args, 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  await kitchen.run(needTool('mvn', 'Fetching jars'), [...goal, `-DoutputDirectory=${join(kitchen.folder, into)}`]);
}

/** Compiles Java sources of this folder against jars that were fetched; `into` is below the recipe's folder. */
export async function compileJava(
  kitchen: Kitchen,
  { sources, jars, into }: { sources: readonly string[]; jars: string; into: string },
): Promise<void> {
  const output = join(kitchen.folder, into);
  const classpath = join(kitchen.folder, jars, '*');
  await kitchen.run(needTool('javac', 'Compiling'), ['-cp', classpath, '-d', output, ...sources.map(fileHere)]);
}

/** Packs compiled classes as a jar. */
export async function packJar(kitchen: Kitchen, classes: string, jar: string): Promise<void> {
  const target = join(kitchen.folder, jar);
  mkdirSync(dirname(target), { recursive: true });
  await kitchen.run(needTool('jar', 'Packing'), ['cf', target, '-C', join(kitchen.folder, classes), '.']);
}

/** Copies a file of this folder into what is being made. */
export function copyInto(kitchen: Kitchen, from: string, to: string): void {
  cpSync(fileHere(from), join(kitchen.folder, to), { recursive: true });
}

/** The JAVA_HOME that programs find Java by, for those that do not look at PATH. */
export function javaHomeOf(java: string): string {
  return dirname(dirname(java));
}
