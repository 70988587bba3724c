// Bundles the workflows ahead of the first worker, into the user's cache folder: for images, where that folder is read-only later.
import { openLog } from '../observability/log.ts';
import { must } from '../pipeline/ensure.ts';
import { bundleOfSources } from './workflow-bundle.ts';

const log = openLog({ name: 'prepare-bundle', level: 'info' });
const bundle = must(await bundleOfSources({ log, signal: new AbortController().signal }), 'the bundle');
log.info({ bytes: bundle.code.length }, 'The workflows are bundled');
