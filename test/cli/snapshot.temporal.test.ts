// `weir snapshot` as a person and as a program use it, on real servers.
import { describe, expect, inject, test } from 'vitest';

import { ensureTopic } from '../../kafka/topics.ts';
import { holdPartition } from '../support/micro-batches.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { dropSchemasOf } from '../support/snapshot-schemas.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const pipeline = await windowedPipeline();
dropSchemasOf(pipeline);
const { pool, schema, spec } = pipeline;
const restored = `${schema}_r`;
const env = {
  WEIR_HOME: EMPTY_HOME,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  WEIR_SCHEMA: schema,
  WEIR_TOPIC: spec.topic,
};
await ensureTopic({ brokers: kafkaBrokers, topic: spec.topic, partitions: 1 });
const weir = async (...args: string[]): Promise<Ended> => await runWeir(args, env);
const snapshot = async (...args: string[]): Promise<Ended> => await weir('snapshot', ...args);

describe('snapshots on the command line', { timeout: 240_000 }, () => {
  test('there are none at first, and a name that is none is a usage error with the rule', async () => {
    expect((await snapshot('list')).stdout).toBe(
      `Schema ${schema} has no snapshots; \`weir snapshot create NAME\` takes one.\n`,
    );
    const { code, stdout, stderr } = await snapshot('create', 'Before Upgrade');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('"Before Upgrade" is not a name of a snapshot; use lower-case letters, digits and "_"');
    expect(await snapshot('compare', 'none')).toMatchObject({
      code: 2,
      stderr: `weir: Schema ${schema} has no snapshot none; \`weir snapshot list\` names those there are.\n`,
    });
  });

  test('one is taken, listed, and equals the live tables until a result changes', async () => {
    await holdPartition(pipeline);
    await insertEvents(pool, schema, { events: [storedEvent('2026-11-01T10:00:10Z')] });
    await closeThrough(pipeline, '2026-11-01T10:05:00Z');
    const taken = await snapshot('create', 'before');
    expect(taken).toMatchObject({ code: 0, stderr: '' });
    expect(taken.stdout).toMatch(
      new RegExp(
        `^Snapshot before of schema ${schema} is taken: topic ${spec.topic} at offsets 0:0\\.\nIt holds results through 2026-11-01T10:05:00Z: 18 rows, \\d\\.\\d MiB in schema ${schema}_snapshot_before\\.\n$`,
      ),
    );
    expect((await snapshot('list')).stdout).toMatch(/ before +2\S+Z +2026-11-01T10:05:00Z +18 +\d\.\d MiB /);
    const same = await snapshot('compare', 'before');
    expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining('The same: every row says what it said.') });
    await pool.query(`update ${schema}.event_counts set event_count = 2`);
    const differs = await snapshot('compare', 'before');
    expect(differs).toMatchObject({ code: 1, stdout: expect.stringContaining('1 row of results differs.') });
    expect(differs.stdout).toContain('event_counts\n  2026-11-01T10:00:00Z page_view: event_count 1 -> 2\n');
    const { code, stdout } = await snapshot('compare', 'before', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      snapshot: { name: 'before', partitions: [{ partition: 0, nextOffset: '0' }] },
      with: 'live',
      through: '2026-11-01T10:05:00.000Z',
      differences: 1,
    });
  });

  test('restored, it answers queries and commands that read, and refuses to be a pipeline', async () => {
    const { code, stdout } = await snapshot('restore', 'before', '--to', restored, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema: restored, rows: 18, snapshot: { name: 'before' } });
    const { rows } = await pool.query(`select event_count::int as events from ${restored}.event_counts`);
    expect(rows).toEqual([{ events: 1 }]);
    const windows = await weir('windows', '--schema', restored, '--aggregate', 'event_counts');
    expect(windows).toMatchObject({ code: 0, stdout: expect.stringContaining('page_view') });
    const again = await snapshot('restore', 'before', '--to', restored);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toContain(`There is a schema ${restored} already, and nothing was changed in it;`);
  });

  test.each([
    ['up --no-generator --until-caught-up'],
    ['pipeline start'],
    ['reprocess --from 2d --to 1d'],
    ['partition rewind 0 --to 0 --yes'],
    ['partition accept-gap 0 --yes'],
    ['dead-letters replay 1 --dry-run'],
    ['verify'],
  ])('weir %s refuses a restored schema in one sentence', async (words) => {
    const { code, stdout, stderr } = await weir(...words.split(' '), '--schema', restored);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(
        `^weir: Schema ${restored} was restored from snapshot before of schema ${schema}, .*WEIR_SCHEMA.*\\n$`,
      ),
    );
  });

  test('status says that a schema was restored, and empty lists do not say that there never was anything', async () => {
    const { code, stdout } = await weir('status', '--schema', restored);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^${restored}: restored from snapshot before of schema ${schema}, as it was at 2.*; nothing is read into it\n`,
      ),
    );
    expect(stdout).not.toMatch(/working|lag .*messages|caught up/);
    expect(JSON.parse((await weir('status', '--schema', restored, '--json')).stdout)).toMatchObject({
      restoredFrom: { snapshot: 'before', schema },
    });
    expect(JSON.parse((await weir('status', '--json')).stdout)).toMatchObject({ restoredFrom: null });
    const letters = await weir('dead-letters', 'list', '--schema', restored);
    expect(letters.stdout).toContain(
      `which keeps results and no dead letters; those of schema ${schema} are listed with`,
    );
    const late = await weir('late', '--schema', restored);
    expect(late.stdout).toContain(`which keeps results and no late events; those of schema ${schema} are listed with`);
    expect((await weir('late', '--beyond-horizon')).stdout).toBe('No late event is meant by these filters.\n');
    expect((await weir('late')).stdout).toBe('No event came late.\n');
  });

  test('dropping asks, and without a terminal needs --yes; what was restored stays', async () => {
    const unasked = await snapshot('drop', 'before');
    expect(unasked).toMatchObject({ code: 2, stdout: '' });
    expect(unasked.stderr).toMatch(/This drops snapshot before .* nobody can be asked here; add --yes to do it\./);
    const dropped = await snapshot('drop', 'before', '--yes');
    expect(dropped.stdout).toMatch(/^Dropped snapshot before of schema .* \(\d\.\d MiB\)\.\n$/);
    expect(JSON.parse((await snapshot('list', '--json')).stdout)).toEqual({ schema, snapshots: [] });
    expect((await pool.query(`select 1 from ${restored}.event_counts`)).rowCount).toBe(1);
  });
});
