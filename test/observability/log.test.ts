// The log: what a line tells.
import { expect, test } from 'vitest';

import { openLog } from '../../observability/log.ts';

test('a line about an error says its sentence and its cause, also where Temporal writes it', () => {
  const lines: string[] = [];
  const log = openLog({ name: 'worker', level: 'info', to: { write: (line) => void lines.push(line) } });
  log.warn({ error: new Error('The lease failed.', { cause: new Error('disk full') }) }, 'Activity failed');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    msg: 'Activity failed',
    error: { message: 'The lease failed.: disk full' },
  });
});
