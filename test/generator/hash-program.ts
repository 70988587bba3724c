// The hash of a run of messages. Started as a program (spec and segment as JSON, and a count), it prints that of the first ones.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';

export function hashOf(messages: readonly ProducedMessage[]): string {
  const hash = createHash('sha256');
  for (const { key, value, timestampMs } of messages) hash.update(`${key}/${timestampMs}/`).update(value);
  return hash.digest('hex');
}

const asked = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && asked !== undefined) {
  const { spec, segment } = JSON.parse(asked);
  process.stdout.write(hashOf(createMessageMaker(spec).messages(segment, 0, Number(process.argv[3]))));
}
