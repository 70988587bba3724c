// The border of the workflow sandbox: what Temporal's bundler takes, and what a worker would find in it.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Script, createContext } from 'node:vm';

import { bundleWorkflowCode } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';

import * as workflows from '../../workflows/index.ts';

const FOLDER = fileURLToPath(new URL('../../workflows/', import.meta.url));
const EXPECTED = [
  'closeWindow',
  'closeWindows',
  'commitOffsets',
  'generateEvents',
  'ingestPartition',
  'publishLetters',
  'replayDeadLetters',
  'reprocess',
  'runPipeline',
];

describe('the workflow bundle', () => {
  let code = '';
  const warnings: string[] = [];

  beforeAll(async () => {
    const silent = { trace: () => {}, debug: () => {}, info: () => {}, log: () => {} };
    const keep = (message: string): void => void warnings.push(message);
    const logger = { ...silent, warn: keep, error: keep };
    ({ code } = await bundleWorkflowCode({ workflowsPath: `${FOLDER}index.ts`, logger }));
  });

  it('builds without a warning: no module of Node is reachable from a workflow', () => {
    expect(warnings).toEqual([]);
    expect(code.length).toBeGreaterThan(100_000);
  });

  it('exports exactly the workflows that the design names', () => {
    // Evaluated as a worker evaluates it; a top-level await would make the exports a promise, and every workflow unknown.
    const context = createContext({ console, TextEncoder, TextDecoder, URL, AbortController });
    const evaluated = `globalThis.__webpack_module_cache__ = {}; ${code}\n; __TEMPORAL__.importWorkflows()`;
    const found: object = new Script(evaluated).runInContext(context);
    expect(Object.keys(found).toSorted()).toEqual(EXPECTED);
  });

  it('keeps the names under which Temporal knows the workflows', () => {
    expect(Object.entries(workflows).map(([name, workflow]) => [name, workflow.name])).toEqual(
      Object.keys(workflows).map((name) => [name, name]),
    );
  });

  it('holds no activity, no edge and no process: only types come from there', () => {
    for (const name of readdirSync(FOLDER)) {
      const values = readFileSync(`${FOLDER}${name}`, 'utf8').matchAll(/^import (?!type)[^;]*from '([^']+)'/gm);
      for (const [, from] of values) {
        expect(`${name} imports ${from}`).toMatch(
          / (@temporalio\/(workflow|common)|\.\/[a-z-]+\.ts|\.\.\/pipeline\/[a-z-]+\.ts)$/,
        );
      }
    }
  });
});
