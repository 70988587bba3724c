// Writes the Grafana dashboards from their TypeScript (`npm run dashboards`). With --check, part of `npm run check`: only says
// which checked-in file differs, exit code 1 then.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';

import { dashboardFiles } from '../observability/grafana/dashboards.ts';

const isCheck = process.argv.includes('--check');
for (const { path, text } of dashboardFiles()) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  const name = relative(process.cwd(), path);
  if (isCheck) {
    process.stderr.write(
      `${name} is not what observability/grafana/*.ts make: run npm run dashboards and check it in.\n`,
    );
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    process.stdout.write(`${name} is written.\n`);
  }
}
