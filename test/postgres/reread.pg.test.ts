// Reading again after a rewind, with rules or circumstances that have changed: letters recover, late events are late.
import { beforeEach, expect, test } from 'vitest';

import { withReplayHeaders } from '../../pipeline/replay-headers.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { rewindPartition } from '../../postgres/rewind.ts';
import { brokenChecks, holdPartition, lettersOf } from '../support/micro-batches.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

let pipeline: WindowedPipeline;

beforeEach(async () => {
  pipeline = await windowedPipeline();
});

/** From offset 0 on, with a lease of its own. */
async function readAgain(messages: Parameters<Awaited<ReturnType<typeof holdPartition>>['commit']>[0]) {
  await rewindPartition(pipeline.pool, pipeline.spec, { partition: 0, toOffset: 0, why: 'a test' });
  return await (await holdPartition(pipeline)).commit(messages);
}

async function readOnce(messages: Parameters<typeof readAgain>[0]) {
  return await (await holdPartition(pipeline)).commit(messages);
}

/** What older rules refused stands for a message that newer rules accept: the same place, another verdict. */
const refusedBefore = (offset: number) => messageOf(offset, 'not json');

test('a message that is valid now becomes an event, and its letter names it', async () => {
  const event = pageView({ timestamp: '2026-11-01T10:00:00.000001Z' });
  await readOnce([refusedBefore(0), refusedBefore(1)]);
  const { counts } = await readAgain([messageOf(0, event), refusedBefore(1)]);
  expect(counts).toMatchObject({ recorded: 1, rejected: 1 });
  expect(await lettersOf(pipeline)).toMatchObject([
    {
      status: 'recovered',
      event_id: event['event_id'],
      event_at: '2026-11-01T10:00:00.000001Z',
      note: 'Its message was valid when it was read again.',
      is_closed: true,
    },
    { status: 'open', note: null },
  ]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('it also recovers as a duplicate: of an event in the table, and of one in the same batch', async () => {
  const event = pageView();
  await readOnce([messageOf(0, event), refusedBefore(1), refusedBefore(2)]);
  const { counts } = await readAgain([messageOf(0, event), messageOf(1, event), messageOf(2, event)]);
  expect(counts).toMatchObject({ recorded: 0, duplicate: 3 });
  const id = event['event_id'];
  expect(await lettersOf(pipeline)).toMatchObject([
    { status: 'recovered', event_id: id },
    { status: 'recovered', event_id: id },
  ]);
  const alone = await readAgain([messageOf(0, event), messageOf(1, event), messageOf(2, event)]);
  expect(alone.counts).toMatchObject({ duplicate: 3 });
  expect(await brokenChecks(pipeline)).toEqual({});
});

test.each(['discarded', 'parked', 'sent'])('a letter that is %s recovers all the same', async (status) => {
  await readOnce([refusedBefore(0)]);
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = $1, note = 'told before'`, [status]);
  await readAgain([messageOf(0, pageView())]);
  expect(await lettersOf(pipeline)).toMatchObject([{ status: 'recovered', note: 'told before' }]);
});

test('an event that is new in a closed window is late, and one that was there is not', async () => {
  const known = pageView();
  await readOnce([messageOf(0, known), refusedBefore(1)]);
  await closeThrough(pipeline, '2026-11-01T10:05:00Z');
  const { counts } = await readAgain([messageOf(0, known), messageOf(1, pageView()), messageOf(2, pageView())]);
  expect(counts).toMatchObject({ recorded: 2, duplicate: 1, late: 2 });
  const { rows } = await pipeline.pool.query(
    `select kafka_offset from ${pipeline.schema}.late_events order by kafka_offset`,
  );
  expect(rows).toEqual([{ kafka_offset: '1' }, { kafka_offset: '2' }]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a late event that is read again is a duplicate, and its late event stays the one that was applied', async () => {
  const { pool, schema, spec } = pipeline;
  const lateRows = async (): Promise<unknown[]> => (await pool.query(`select * from ${schema}.late_events`)).rows;
  const eventCounts = async (): Promise<unknown[]> =>
    (await pool.query(`select revision, event_count::int as events from ${schema}.event_counts`)).rows;
  const all = [messageOf(0, pageView()), messageOf(1, pageView())];
  await readOnce(all.slice(0, 1));
  await closeThrough(pipeline, '2026-11-01T10:05:00Z');
  await readOnce(all.slice(1));
  await amendWindows(pool, spec);
  const before = await lateRows();
  expect(before).toMatchObject([{ kafka_offset: '1', applied_at: expect.any(Date) }]);
  expect((await readAgain(all)).counts).toMatchObject({ recorded: 0, duplicate: 2, late: 0 });
  expect(await lateRows()).toEqual(before);
  expect(await brokenChecks(pipeline)).toEqual({});
  // Its row is lost: it is recorded again, but the windows hold it already, as its late event says.
  await pool.query(`delete from ${schema}.events where kafka_offset = 1`);
  expect((await readAgain(all)).counts).toMatchObject({ recorded: 1, duplicate: 1, late: 0 });
  expect(await lateRows()).toEqual(before);
  await amendWindows(pool, spec);
  expect(await eventCounts()).toEqual([{ revision: 2, events: 2 }]);
  expect(await resultDifferences(pipeline)).toEqual([]);
});

test('another message at an offset that was read before, of a log begun anew, is not taken for the letter of that time', async () => {
  await readOnce([refusedBefore(0), refusedBefore(1)]);
  const anew = { timestampMs: Date.parse('2026-11-01T13:00:00Z') };
  await readAgain([messageOf(0, 'nor is this json', anew), messageOf(1, pageView(), anew)]);
  expect((await lettersOf(pipeline)).map(({ kafka_offset, status }) => [kafka_offset, status])).toEqual([
    ['0', 'open'],
    ['1', 'open'],
    ['0', 'open'],
  ]);
});

test('a duplicate within what is read again is not taken for the letter of another log either', async () => {
  await readOnce([refusedBefore(0), refusedBefore(1)]);
  const event = pageView();
  const anew = { timestampMs: Date.parse('2026-11-01T13:00:00Z') };
  await readAgain([messageOf(0, event, anew), messageOf(1, event, anew)]);
  expect(await lettersOf(pipeline)).toMatchObject([{ status: 'open' }, { status: 'open' }]);
});

test('a Kafka timestamp that no calendar holds keeps the place of its letter', async () => {
  const changes = [9.2e18, -9e18].map((timestampMs) => ({ timestampMs }));
  const refused = changes.map((change, offset) => messageOf(offset, 'not json', change));
  await readOnce(refused);
  await readAgain(refused);
  expect(await lettersOf(pipeline)).toHaveLength(2);
  const event = pageView();
  await readAgain([messageOf(0, event, changes[0]), messageOf(1, event, changes[0])]);
  expect((await lettersOf(pipeline)).map(({ status }) => status)).toEqual(['recovered', 'open']);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a row that PostgreSQL refused has one letter when it refuses again, and recovers when it takes the row', async () => {
  const { pool, schema } = pipeline;
  const held = await holdPartition(pipeline);
  await pool.query(`alter table ${schema}.events alter column user_id type varchar(10)`);
  const first = messageOf(0, pageView());
  const long = messageOf(1, pageView({ user_id: 'far too long a name' }));
  expect(await held.commit([first, long])).toMatchObject({ refused: 1 });
  expect(await readAgain([first, long])).toMatchObject({ refused: 1, counts: { duplicate: 1, rejected: 1 } });
  expect(await lettersOf(pipeline)).toMatchObject([{ reason: 'unstorable', status: 'open' }]);
  expect(await brokenChecks(pipeline)).toEqual({});
  await pool.query(`alter table ${schema}.events alter column user_id type text`);
  expect((await readAgain([first, long])).counts).toMatchObject({ recorded: 1, duplicate: 1 });
  expect(await lettersOf(pipeline)).toMatchObject([{ reason: 'unstorable', status: 'recovered' }]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('replays that are read again leave everything as it has become since', async () => {
  const { pool, schema } = pipeline;
  await readOnce([messageOf(0, 'one'), messageOf(1, 'two')]);
  const [one, two] = (await lettersOf(pipeline)).map(({ id }) => id);
  const of = (letter = 0) => ({ headers: withReplayHeaders([], { letter, attempt: 2, replay: 'r1' }) });
  const all = [
    messageOf(0, 'one'),
    messageOf(1, 'two'),
    messageOf(2, pageView(), of(one)),
    messageOf(3, 'still two', of(two)),
    messageOf(4, 'still two', of(two)),
  ];
  await readOnce(all.slice(2));
  await pool.query(`update ${schema}.dead_letters set status = 'discarded', note = 'enough' where kafka_offset = 3`);
  const before = await pool.query(`select * from ${schema}.dead_letters order by id`);
  await readAgain(all);
  expect((await pool.query(`select * from ${schema}.dead_letters order by id`)).rows).toEqual(before.rows);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a refused replay that is valid when it is read again recovers its own letter and the one it repeats', async () => {
  await readOnce([messageOf(0, 'one')]);
  const [letter] = await lettersOf(pipeline);
  const replay = { headers: withReplayHeaders([], { letter: letter?.id ?? 0, attempt: 2, replay: 'r1' }) };
  await readOnce([messageOf(1, 'still one', replay)]);
  const event = pageView();
  await readAgain([messageOf(0, 'one'), messageOf(1, event, replay)]);
  expect(await lettersOf(pipeline)).toMatchObject([
    { status: 'recovered', event_id: event['event_id'], note: null },
    { status: 'recovered', event_id: event['event_id'], attempt: 2 },
  ]);
});
