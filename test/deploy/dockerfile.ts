// Carries out a Dockerfile without Docker: its own lines, in a folder that stands for the root of each stage.
//
// What the image's files are is made for real: the build context less .dockerignore, COPY, ENV, and RUN as it is written. What only
// an image can be (FROM, packages of the system, the isolation) is not. Paths of the image below /app and /tmp are moved below the
// folder, the same for each stage, since a path that a build step writes down must hold in the stage that uses it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join, relative } from 'node:path';

import { toolEnvironment } from '../../local/machine.ts';
import { must } from '../../pipeline/ensure.ts';

type Instruction = { readonly word: string; readonly rest: string };

/** What a stage leaves: `root` has its files; the rest is what a container is started with. */
export type BuiltImage = {
  readonly root: string;
  readonly base: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingFolder: string;
  readonly userId: number;
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  readonly stopSignal: string;
  /** RUN lines of the system's package manager, which were left out. */
  readonly systemPackages: readonly string[];
};

function instructionsOf(text: string): Instruction[] {
  const lines = text.replaceAll('\\\n', ' ').split('\n');
  return lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ word: line.replace(/\s.*/, ''), rest: line.replace(/^\S+\s+/, '') }));
}

/** Builds the last stage of `context`'s Dockerfile below `folder`, which must be empty. Throws with the words of a step that fails. */
export function buildImage(context: string, folder: string): BuiltImage {
  const root = join(folder, 'root');
  const inside = (path: string): string => path.replaceAll(/(?<![\w.-])\/(app|tmp)\b/g, `${root}/$1`);
  const finished = new Map<string, string>();
  let stage = { name: '', base: '', environment: {} as Record<string, string>, workingFolder: root, userId: 0 };
  let ending = {
    entrypoint: [] as string[],
    command: [] as string[],
    healthCheck: [] as string[],
    stopSignal: 'SIGTERM',
  };
  const systemPackages: string[] = [];
  const steps: Readonly<Record<string, (rest: string) => void>> = {
    FROM: (rest) => {
      if (stage.base !== '') {
        finished.set(stage.name, join(folder, `stage-${finished.size}`));
        renameSync(root, must(finished.get(stage.name), 'the place of a stage'));
      }
      const [base = '', , name = ''] = rest.split(/\s+/);
      for (const place of ['app', 'tmp', 'home']) mkdirSync(join(root, place), { recursive: true });
      stage = { name, base, environment: {}, workingFolder: root, userId: 0 };
    },
    WORKDIR: (rest) => {
      stage.workingFolder = inside(rest);
    },
    ENV: (rest) => {
      for (const [, name = '', value = ''] of rest.matchAll(/(\w+)=(\S+)/g)) stage.environment[name] = inside(value);
    },
    COPY: (rest) => {
      const words = rest.split(/\s+/);
      const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
      const target = words.pop() ?? '.';
      for (const source of words) {
        const to = join(stage.workingFolder, target);
        if (from === undefined) copyContext(context, { source, to });
        else
          cpSync(join(must(finished.get(from), `the stage ${from}`), source), to, {
            recursive: true,
            verbatimSymlinks: true,
          });
      }
    },
    RUN: (rest) => {
      if (rest.startsWith('apt-get ')) systemPackages.push(rest);
      else run(rest, { folder: stage.workingFolder, environment: { ...stage.environment, HOME: join(root, 'home') } });
    },
    USER: (rest) => {
      stage.userId = Number(rest.replace(/:.*/, ''));
    },
    STOPSIGNAL: (rest) => {
      ending.stopSignal = rest;
    },
    EXPOSE: () => {},
    HEALTHCHECK: (rest) => {
      ending.healthCheck = JSON.parse(rest.slice(rest.indexOf('[')));
    },
    ENTRYPOINT: (rest) => {
      ending.entrypoint = JSON.parse(rest);
    },
    CMD: (rest) => {
      ending.command = JSON.parse(rest);
    },
  };
  for (const { word, rest } of instructionsOf(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    must(steps[word], `what ${word} means: teach test/deploy/dockerfile.ts`)(rest);
  }
  const { base, environment, workingFolder, userId } = stage;
  const command = [...ending.entrypoint, ...ending.command];
  const { healthCheck, stopSignal } = ending;
  return { root, base, environment, workingFolder, userId, command, healthCheck, stopSignal, systemPackages };
}

function run(command: string, { folder, environment }: { folder: string; environment: Record<string, string> }): void {
  const ended = spawnSync('sh', ['-c', command], {
    cwd: folder,
    encoding: 'utf8',
    // What npm has fetched for this machine before need not be fetched again.
    env: toolEnvironment({ npm_config_prefer_offline: 'true', npm_config_cache: npmCache(), ...environment }),
  });
  if (ended.status !== 0) throw new Error(`RUN ${command} ended with ${ended.status}: ${ended.stderr}${ended.stdout}`);
}

const npmCache = (): string => spawnSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).stdout.trim();

/** Never in the context, and too large to look through; `isIgnored` says so of each. */
const HEAVY = new Set(['node_modules', '.git', '.weir']);

function copyContext(context: string, { source, to }: { source: string; to: string }): void {
  const isOut = ignoredBy(readFileSync(join(context, '.dockerignore'), 'utf8'));
  const from = join(context, source);
  for (const path of source === '.' ? filesBelow(context, context) : [source]) {
    if (isOut(path)) continue;
    const target = source === '.' ? join(to, path) : join(to, relative(from, join(context, path)) || path);
    cpSync(join(context, path), target, { recursive: true });
  }
}

function filesBelow(folder: string, context: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (HEAVY.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path, context) : [relative(context, path)];
  });
}

/** Docker's rules as far as they are used here: patterns in order, the last that matches a path or a folder above it decides. */
export function ignoredBy(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ isOut: !line.startsWith('!'), shape: shapeOf(line.replace(/^!/, '')) }));
  return (path) => patterns.findLast(({ shape }) => shape.test(path))?.isOut ?? false;
}

const shapeOf = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}(/.*)?$`);
