// The older build: today's workflow code without the patches, as it was before each of them.
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode } from '@temporalio/worker';
import type { Logger } from '@temporalio/worker';

import { workflowsPath } from '../../workers/workflow-bundle.ts';

const PATCHES = fileURLToPath(new URL('../../workflows/patches.ts', import.meta.url));
const OLDER = fileURLToPath(new URL('./older-patches.ts', import.meta.url));
export const SILENT: Logger = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  log: () => {},
  warn: () => {},
  error: () => {},
};

/** Bundles the workflows with `isPatched` always false, which neither asks for a marker nor leaves one. */
export async function bundleOlderBuild(): Promise<{ code: string }> {
  return await bundleWorkflowCode({
    workflowsPath: workflowsPath(),
    logger: SILENT,
    webpackConfigHook: (config) => {
      Object.assign(config.resolve?.alias ?? {}, { [PATCHES]: OLDER });
      return config;
    },
  });
}
