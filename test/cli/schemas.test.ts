// `weir schemas` as a person or a program calls it; needs no server.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { RELEASED_FOLDER, readReleasedSchemas, writeReleasedSchema } from '../../cli/released-schemas.ts';
import { must } from '../../pipeline/ensure.ts';
import { runWeir } from './run-weir.ts';

describe('weir schemas', { timeout: 120_000 }, () => {
  test('diff says what the newest version changed, a line a field', async () => {
    const { code, stdout } = await runWeir(['schemas', 'diff']);
    expect({ code, lines: stdout.trim().split('\n') }).toEqual({
      code: 0,
      lines: [
        'From version 1 to version 2:',
        '  ~ purchase.payment_method takes google_pay besides',
        '  + purchase.coupon_code is new and may be absent: text of at most 512 characters',
      ],
    });
  });

  test('diff --json says the same to programs, and whether each change is compatible', async () => {
    const { stdout } = await runWeir(['schemas', 'diff', '2', '1', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      from: 2,
      to: 1,
      changes: [
        { eventType: 'purchase', field: 'payment_method', change: 'narrowed', compatible: false },
        { eventType: 'purchase', field: 'coupon_code', change: 'removed', compatible: false },
      ],
    });
  });

  test('list and show name every version and field', async () => {
    const [list, show, json] = await Promise.all([
      runWeir(['schemas', 'list', '--json']),
      runWeir(['schemas', 'show', '2']),
      runWeir(['schemas', 'show', '1', '--json']),
    ]);
    expect(JSON.parse(list.stdout)).toMatchObject({
      versions: [
        { version: 1, released: true, changes: [] },
        { version: 2, released: true, changes: [{ field: 'payment_method' }, { field: 'coupon_code' }] },
      ],
    });
    expect(show.stdout).toMatch(/every +event_id +required +uuid/);
    expect(show.stdout).toMatch(/purchase +coupon_code +optional +text of at most 512 characters/);
    expect(JSON.parse(json.stdout)).toEqual(readReleasedSchemas()[0]);
  });

  test('a version that there is not is said, with those that there are', async () => {
    const { code, stderr } = await runWeir(['schemas', 'diff', '1', '9']);
    expect({ code, stderr: stderr.trim() }).toEqual({
      code: 2,
      stderr: 'weir: There is no version 9 of the event schemas; this build knows 1 to 2.',
    });
  });

  test('release has nothing to write when the newest version is released', async () => {
    const { code, stdout } = await runWeir(['schemas', 'release']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Version 2 is released already.\n' });
  });
});

test('a released version comes back as it was written, and is never written over', () => {
  const folder = mkdtempSync(join(tmpdir(), 'released-'));
  try {
    const second = must(readReleasedSchemas()[1], 'version 2');
    const path = writeReleasedSchema(second, folder);
    expect(readReleasedSchemas(folder)).toEqual([second]);
    expect(readFileSync(path, 'utf8')).toBe(readFileSync(join(RELEASED_FOLDER, 'v2.json'), 'utf8'));
    expect(() => writeReleasedSchema(second, folder)).toThrow('EEXIST');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
