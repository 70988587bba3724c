// Part of `npm run check`: the declared event schemas keep what is released, and only widen it. Exit code 1 when they do not.
import { readReleasedSchemas } from '../cli/released-schemas.ts';
import { releaseFaults, unreleased } from '../pipeline/schemas/check-releases.ts';
import { plainSchemas } from '../pipeline/schemas/plain-schema.ts';
import { VERSIONS } from '../pipeline/schemas/versions.ts';

const declared = plainSchemas(VERSIONS);
const released = readReleasedSchemas();
const faults = releaseFaults(declared, released);
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
for (const { version } of faults.length > 0 ? [] : unreleased(declared, released)) {
  process.stdout.write(
    `Version ${version} of the event schemas is not released; \`weir schemas release\` does that.\n`,
  );
}
