// Bundles the workflows into the file that its argument names: a process of its own, so that a worker keeps its memory small.
import { renameSync, writeFileSync } from 'node:fs';
import { pid } from 'node:process';

import { DefaultLogger, bundleWorkflowCode } from '@temporalio/worker';

import { must } from '../pipeline/ensure.ts';
import { workflowsPath } from './workflow-bundle.ts';

const file = must(process.argv[2], 'the file to write');
const logger = new DefaultLogger('WARN', ({ level, message }) => process.stderr.write(`${level} ${message}\n`));
const { code } = await bundleWorkflowCode({ workflowsPath: workflowsPath(), logger });
// Appears whole: the worker that asked may have died, and another may be at the same file.
writeFileSync(`${file}.${pid}`, code);
renameSync(`${file}.${pid}`, file);
