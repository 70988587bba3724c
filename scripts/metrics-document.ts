// Writes docs/metrics.md from the list of metrics; with --check (part of `npm run check`) it only says whether it differs: exit code 1.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { metricsDocument } from '../observability/metrics-document.ts';

const path = fileURLToPath(new URL('../docs/metrics.md', import.meta.url));

if (!process.argv.includes('--check')) writeFileSync(path, metricsDocument());
else if (readFileSync(path, 'utf8') !== metricsDocument()) {
  process.stderr.write(
    'docs/metrics.md differs from observability/metric-list.ts: npm run docs:metrics writes it anew.\n',
  );
  process.exitCode = 1;
}
