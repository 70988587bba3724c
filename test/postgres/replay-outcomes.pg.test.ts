// What became of a replayed letter is written back with its micro-batch, whatever way that batch goes into PostgreSQL.
import { randomUUID } from 'node:crypto';

import { beforeEach, expect, test } from 'vitest';

import type { Message } from '../../pipeline/message.ts';
import { withReplayHeaders } from '../../pipeline/replay-headers.ts';
import { eventually } from '../support/eventually.ts';
import { brokenChecks, holdPartition, lettersOf } from '../support/micro-batches.ts';
import type { HeldPartition, LetterRow } from '../support/micro-batches.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

let pipeline: WindowedPipeline;
let held: HeldPartition;
/** The letter that stands at offset 0 in every test, sent again by a replay. */
let letter: number;

beforeEach(async () => {
  pipeline = await windowedPipeline();
  held = await holdPartition(pipeline);
  await held.commit([messageOf(0, 'not json')]);
  letter = (await lettersOf(pipeline))[0]?.id ?? 0;
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = 'sent', replay = 'r1'`);
});

/** A message at `offset` that repeats the letter. */
const replay = (
  offset: number,
  value: unknown,
  { of = letter, by = 'r1', ...changes }: Partial<Message> & { of?: number; by?: string } = {},
) => messageOf(offset, value, { headers: withReplayHeaders([], { letter: of, attempt: 2, replay: by }), ...changes });

async function letterAt(offset: number): Promise<LetterRow | undefined> {
  return (await lettersOf(pipeline)).find(({ kafka_offset }) => Number(kafka_offset) === offset);
}

test('a replay that is recorded recovers its letter, which names the event to the microsecond', async () => {
  const event = pageView({ timestamp: '2026-11-01T10:00:00.123456Z' });
  await held.commit([messageOf(1, pageView()), replay(2, event)]);
  expect(await lettersOf(pipeline)).toMatchObject([
    {
      status: 'recovered',
      event_id: event['event_id'],
      event_at: '2026-11-01T10:00:00.123456Z',
      is_closed: true,
      attempt: 1,
    },
  ]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test.each(['0001-01-01T00:00:00.000001Z', '9999-12-31T23:59:59.999999Z'])(
  'an event at %s has its exact time in the letter',
  async (timestamp) => {
    const changes = { timestampMs: Date.parse('9999-12-31T23:59:59Z') };
    await held.commit([replay(1, pageView({ timestamp }), changes)]);
    expect(await lettersOf(pipeline)).toMatchObject([{ status: 'recovered', event_at: timestamp }]);
  },
);

test('a replay whose event is there already recovers its letter: within the batch and through the staging table', async () => {
  const event = pageView();
  await held.commit([messageOf(1, event), replay(2, event), messageOf(3, 'not json'), messageOf(4, 'nor this')]);
  expect(await letterAt(0)).toMatchObject({ status: 'recovered', event_id: event['event_id'] });

  const second = (await letterAt(3))?.id ?? 0;
  const { staged, counts } = await held.commit([messageOf(5, pageView()), replay(6, event, { of: second })]);
  expect({ staged, counts }).toMatchObject({ staged: true, counts: { recorded: 1, duplicate: 1 } });
  expect(await letterAt(3)).toMatchObject({ status: 'recovered', event_id: event['event_id'] });
  expect(await letterAt(4)).toMatchObject({ status: 'open', event_id: null });
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a replay that is refused becomes a letter with the next attempt, which stands for its parent', async () => {
  await held.commit([messageOf(1, pageView()), replay(2, 'still not json')]);
  expect(await letterAt(0)).toMatchObject({ status: 'replaced', is_closed: true, parent: null });
  expect(await letterAt(2)).toMatchObject({ status: 'open', is_closed: false, parent: letter, attempt: 2 });
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a letter that was refused five times is parked', async () => {
  for (let offset = 1; offset <= 5; offset += 1) {
    const parent = (await letterAt(offset - 1))?.id ?? 0;
    await held.commit([replay(offset, `not json ${offset}`, { of: parent })]);
  }
  const letters = await lettersOf(pipeline);
  expect(letters.map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, 'replaced'],
    [2, 'replaced'],
    [3, 'replaced'],
    [4, 'replaced'],
    // Replayed all the same, because somebody named it.
    [5, 'replaced'],
    [6, 'parked'],
  ]);
});

test('the fifth refusal parks', async () => {
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set attempt = 4`);
  await held.commit([replay(1, 'still not json')]);
  expect(await letterAt(1)).toMatchObject({ status: 'parked', attempt: 5, is_closed: false });
});

test('of a replay that was sent twice the second letter is discarded: in one batch, in the next, in another partition', async () => {
  const other = await holdPartition(pipeline, 1);
  await held.commit([replay(1, 'still not json'), replay(2, 'still not json')]);
  await held.commit([replay(3, 'still not json')]);
  await other.commit([replay(0, 'still not json')]);
  const letters = await lettersOf(pipeline);
  const [, first] = letters;
  expect(letters.map(({ status }) => status)).toEqual(['replaced', 'open', 'discarded', 'discarded', 'discarded']);
  for (const copy of letters.slice(2)) {
    expect(copy).toMatchObject({ parent: letter, attempt: 2, is_closed: true });
    expect(copy.note).toBe(`The same replay of letter ${letter} came twice: letter ${first?.id} is the same message.`);
  }
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('two partitions that refuse the same replay at the same moment keep one letter open', async () => {
  const other = await holdPartition(pipeline, 1);
  const rival = await holdPartition(pipeline, 2);
  await Promise.all([
    held.commit([replay(1, 'still not json')]),
    other.commit([replay(0, 'still not json')]),
    rival.commit([replay(0, 'still not json')]),
  ]);
  const statuses = (await lettersOf(pipeline)).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual(['discarded', 'discarded', 'open', 'replaced']);
});

test('a replay waits for what another partition is making of its letter, and sees it', async () => {
  const { schema, pool } = pipeline;
  const { client: rival } = await holdPartition(pipeline, 1);
  await rival.query(
    `begin;
     insert into ${schema}.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, value, headers, reason, detail, parent, attempt)
     values (1, 0, now(), convert_to('still not json', 'UTF8'), '[]', 'not_json', 'No JSON.', ${letter}, 2);
     update ${schema}.dead_letters set status = 'replaced' where id = ${letter}`,
  );
  const committed = held.commit([replay(1, 'still not json')]);
  await eventually(
    async () => {
      const { rows } = await pool.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity
          where wait_event_type = 'Lock' and position($1 in query) > 0 and position('advance_checkpoint' in query) > 0`,
        [schema],
      );
      return rows[0]?.n === 1;
    },
    { deadlineMs: 10_000, what: 'the replay waits for its letter' },
  );
  await rival.query('commit');
  await committed;
  expect(await letterAt(1)).toMatchObject({ status: 'discarded', parent: letter });
});

test('another message that carries the headers of a replay stays visible when it is refused', async () => {
  await held.commit([replay(1, pageView()), replay(2, 'something else that is not json')]);
  expect(await letterAt(0)).toMatchObject({ status: 'recovered' });
  expect(await letterAt(2)).toMatchObject({ status: 'open', parent: letter, attempt: 2 });
});

test('of two different messages that name one letter, both stay visible when they are refused', async () => {
  await held.commit([
    replay(1, 'still not json'),
    replay(2, 'not the same'),
    replay(3, 'still not json', { key: Buffer.from('k') }),
  ]);
  expect((await lettersOf(pipeline)).map(({ status }) => status)).toEqual(['replaced', 'open', 'open', 'open']);
});

test('the first event that a letter became stays the one it names', async () => {
  const first = pageView();
  await held.commit([replay(1, first), replay(2, pageView())]);
  await held.commit([replay(3, pageView())]);
  await held.commit([replay(4, 'not json')]);
  expect(await letterAt(0)).toMatchObject({ status: 'recovered', event_id: first['event_id'] });
});

test('a letter that somebody discarded meanwhile stays so when its replay is refused, and is recovered by an event', async () => {
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = 'discarded', note = 'old'`);
  await held.commit([replay(1, 'not json')]);
  expect(await letterAt(0)).toMatchObject({ status: 'discarded', note: 'old' });
  expect(await letterAt(1)).toMatchObject({ status: 'open', parent: letter });
  await held.commit([replay(2, pageView())]);
  expect(await letterAt(0)).toMatchObject({ status: 'recovered', note: 'old' });
});

test.each([['0'], ['99999999'], ['9007199254740991'], ['9223372036854775807'], ['-1'], ["1'; drop table x; --"], ['']])(
  'the letter id %j of a stranger changes nothing about its message',
  async (text) => {
    const headers = [{ name: 'weir-letter', value: Buffer.from(text) }];
    const committed = await held.commit([messageOf(1, pageView(), { headers }), messageOf(2, 'not json', { headers })]);
    expect(committed.counts).toMatchObject({ recorded: 1, rejected: 1 });
    expect(await letterAt(0)).toMatchObject({ status: 'sent' });
    expect(await letterAt(2)).toMatchObject({ status: 'open', parent: null, attempt: 1 });
  },
);

test.each([["x'; drop table y; --"], ['a'.repeat(41)], [''], ['r\u0000'], ['ä']])(
  'the replay name %j of a stranger is left out, and the letter has its outcome',
  async (name) => {
    await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = 'open', replay = null`);
    const headers = [
      { name: 'weir-letter', value: Buffer.from(String(letter)) },
      { name: 'weir-replay', value: Buffer.from(name) },
    ];
    await held.commit([messageOf(1, pageView(), { headers })]);
    expect(await letterAt(0)).toMatchObject({ status: 'recovered', replay: null });
  },
);

test('a letter that is not marked yet has the replay that its message names; one that is keeps its mark', async () => {
  await held.commit([replay(1, pageView(), { by: 'r2' })]);
  expect(await letterAt(0)).toMatchObject({ status: 'recovered', replay: 'r1' });
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = 'open', replay = null`);
  await held.commit([replay(2, pageView(), { by: 'r2' })]);
  expect(await letterAt(0)).toMatchObject({ status: 'recovered', replay: 'r2' });
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = 'open', replay = null`);
  await held.commit([replay(3, 'not json', { by: 'r3' })]);
  expect(await letterAt(0)).toMatchObject({ status: 'replaced', replay: 'r3' });
});

test('a batch of strangers that all name letters goes in as any other', async () => {
  const strangers = Array.from({ length: 1_000 }, (_, index) =>
    replay(1 + index, index % 2 === 0 ? pageView() : 'not json', { of: 1_000_000 + index }),
  );
  const { counts } = await held.commit(strangers);
  expect(counts).toMatchObject({ recorded: 500, rejected: 500 });
  expect(await letterAt(0)).toMatchObject({ status: 'sent' });
});

test('a row that PostgreSQL refuses makes the next letter of its replay, and the replays around it have their outcomes', async () => {
  await held.commit([messageOf(1, 'a'), messageOf(2, 'b'), messageOf(3, 'c'), messageOf(4, 'd')]);
  await pipeline.pool.query(`alter table ${pipeline.schema}.events alter column user_id type varchar(10)`);
  const ids = (await lettersOf(pipeline)).map(({ id }) => id);
  const duplicate = pageView();
  const committed = await held.commit([
    messageOf(5, duplicate),
    replay(6, duplicate, { of: ids[0] ?? 0 }),
    replay(7, 'not json', { of: ids[1] ?? 0 }),
    replay(8, pageView(), { of: ids[2] ?? 0 }),
    replay(9, pageView({ user_id: 'far too long a name' }), { of: ids[3] ?? 0 }),
    replay(10, pageView(), { of: ids[4] ?? 0 }),
  ]);
  expect(committed).toMatchObject({ toOffset: 10, refused: 1 });
  const statuses = (await lettersOf(pipeline)).map(({ status }) => status);
  // The last replay is read again by the next chain of commits.
  expect(statuses).toEqual(['recovered', 'replaced', 'recovered', 'replaced', 'open', 'open', 'open']);
  expect(await letterAt(9)).toMatchObject({ reason: 'unstorable', parent: ids[3], attempt: 2 });
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a batch that is marked late again has its outcomes once', async () => {
  await pipeline.pool.query(`update ${pipeline.schema}.closed_through set closed_through = '2026-11-02'`);
  const event = pageView();
  const { remarked, counts } = await held.commit([replay(1, event), replay(2, 'not json')]);
  expect({ remarked, counts }).toMatchObject({ remarked: 1, counts: { recorded: 1, late: 1, rejected: 1 } });
  expect(await letterAt(0)).toMatchObject({ status: 'recovered', event_id: event['event_id'] });
  expect(await letterAt(2)).toMatchObject({ status: 'open', parent: letter, attempt: 2 });
});

test('a commit that fails leaves the letter as it was', async () => {
  await pipeline.pool.query(
    `alter table ${pipeline.schema}.late_events add constraint none_late check (kafka_offset < 0);
     update ${pipeline.schema}.closed_through set closed_through = '2026-11-02'`,
  );
  await expect(held.commit([replay(1, pageView({ event_id: randomUUID() }))])).rejects.toThrow('none_late');
  expect(await letterAt(0)).toMatchObject({ status: 'sent', event_id: null });
});

test('a batch is one round trip, with replays and without', async () => {
  const texts: string[] = [];
  const query = held.client.query.bind(held.client) as (...args: unknown[]) => unknown;
  Object.assign(held.client, {
    query: (...args: unknown[]) => {
      texts.push(typeof args[0] === 'string' ? args[0] : 'one transaction');
      return query(...args);
    },
  });
  await held.commit([messageOf(1, pageView(), { headers: [{ name: 'trace', value: Buffer.from('1') }] })]);
  await held.commit([replay(2, pageView()), replay(3, 'not json')]);
  expect(texts.filter((text) => !text.includes('ensure_event_days'))).toEqual(['one transaction', 'one transaction']);
});
