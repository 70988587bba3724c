// `weir dead-letters replay` as people type it: what letters would become, what is refused before anything is sent, and the verbs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import { partitionOffsets } from '../../kafka/topics.ts';
import { replayId } from '../../pipeline/ids.ts';
import { selectLetters } from '../../pipeline/letter-selection.ts';
import { ensureCheckpoint } from '../../postgres/checkpoints.ts';
import { planReplay } from '../../postgres/replayed-letters.ts';
import type { ReplayInput } from '../../workflows/replay-dead-letters.ts';
import { insertLetters, insertManyLetters } from '../support/letters.ts';
import { pageView } from '../support/messages.ts';
import { PipelineWorld, startWorker } from '../workflows/pipeline-world.ts';
import type { TestWorker } from '../workflows/pipeline-world.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const servers = inject('servers');
const folder = mkdtempSync(join(tmpdir(), 'weir-replay-'));
let worker: TestWorker;
let world: PipelineWorld;
let env: Record<string, string>;

beforeAll(async () => {
  worker = await startWorker(servers);
  world = await PipelineWorld.open(servers, worker.taskQueues);
  const { pool, spec } = world;
  for (const partition of [0, 1]) await ensureCheckpoint(pool, spec, { partition, firstOffset: 0 });
  env = {
    WEIR_HOME: EMPTY_HOME,
    WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: servers.postgresUrl,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TOPIC: spec.topic,
    WEIR_SCHEMA: spec.schema,
  };
}, 240_000);

afterEach(async () => {
  await world.pool.query(`truncate "${world.spec.schema}".dead_letters restart identity`);
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await world.close();
  await worker.drain();
});

const replay = async (...words: string[]): Promise<Ended> => await runWeir(['dead-letters', 'replay', ...words], env);

function fileOf(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

const written = async (): Promise<number> =>
  (await partitionOffsets({ brokers: servers.kafkaBrokers, topic: world.spec.topic })).reduce(
    (sum, { endOffset }) => sum + endOffset,
    0,
  );

const EVENT = pageView({ device: undefined });
const EVENT_ID = String(EVENT['event_id']);
const put = async (...values: unknown[]): Promise<string[]> =>
  await insertLetters(
    world.pool,
    world.spec.schema,
    values.map((value) => ({ value: typeof value === 'string' ? value : JSON.stringify(value) })),
  );

describe('weir dead-letters replay --dry-run', { timeout: 240_000 }, () => {
  test('says of each letter what it would become, by the rules of ingestion, and sends nothing', async () => {
    await put(EVENT, { ...EVENT, page: 'cellar' }, 'no json');
    const before = await written();
    const { code, stdout, stderr } = await replay('--status', 'open', '--set', 'device=mobile', '--dry-run');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').map((line) => line.trimEnd())).toEqual([
      `letter 1         page_view ${EVENT_ID} of 2026-11-01T10:00:00.000Z`,
      expect.stringMatching(/^letter 2 +refused again: page is "cellar"; one of /),
      expect.stringMatching(/^letter 3 +cannot be repaired: its value is not JSON/),
      '',
      'It would make 1 event, 1 letter refused again, 1 letter that cannot be repaired. Nothing was sent.',
      '',
    ]);
    expect(await written()).toBe(before);
    expect(await world.count(`dead_letters where status = 'open' and replay is null`)).toBe(3);
  });

  test('compiles a transform of TypeScript with what it imports, and gives programs the same', async () => {
    fileOf('devices.ts', `export const DEVICE: string = 'mobile';`);
    const file = fileOf(
      'fix.ts',
      `import { DEVICE } from './devices.ts';
      type Letter = { id: string; value: Record<string, unknown> };
      export default (letter: Letter): Letter | null => {
        console.log('looks at', letter.id);
        return letter.id === '2' ? null : { ...letter, value: { ...letter.value, device: DEVICE } };
      };`,
    );
    await put(EVENT, EVENT);
    const { code, stdout, stderr } = await replay('1', '2', '--transform', file, '--dry-run', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('looks at 1') });
    expect(JSON.parse(stdout)).toEqual({
      letters: [
        {
          letter: '1',
          becomes: 'event',
          event: { id: EVENT_ID, type: 'page_view', at: '2026-11-01T10:00:00.000Z' },
        },
        { letter: '2', becomes: 'left-out' },
      ],
      summary: { events: 1, refused: 0, unrepaired: 0, leftOut: 1 },
    });
  });

  test('takes the oldest letters up to the limit', async () => {
    await insertManyLetters(world.pool, world.spec.schema, 30);
    const { stdout } = await replay('--reason', 'not_json', '--limit', '2', '--dry-run', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ letters: [{ letter: '3' }, { letter: '6' }] });
  });
});

describe('weir dead-letters replay', { timeout: 240_000 }, () => {
  test('is refused before anything is sent, in one sentence each', async () => {
    const ids = await insertLetters(world.pool, world.spec.schema, [{ status: 'sent' }, { status: 'recovered' }, {}]);
    expect((await replay()).stderr).toMatch(/^weir: Say which dead letters: their numbers or a filter/);
    expect((await replay(...ids, '77')).stderr.trim().split('\n')).toEqual([
      'weir: Letter 1 is sent, not open or parked (--status sent sends it once more); nothing is sent.',
      'weir: Letter 2 is recovered, not open or parked; nothing is sent.',
      'weir: There is no dead letter 77; nothing is sent.',
    ]);
    expect((await replay('--status', 'recovered')).stderr).toMatch(
      /only letters that are open, parked, sent can be replayed/,
    );
    expect((await replay('3', '--set', 'device')).stderr).toMatch(/"device" is not of the form field=value/);
    expect((await replay('3', '--rate', '0')).stderr).toMatch(/"0" is not a whole number from 1 to 100000/);
    const { stdout } = await replay('--status', 'parked');
    expect(stdout).toBe('No dead letter is meant (status parked); nothing is sent.\n');
    const elsewhere = await runWeir(['dead-letters', 'replay', '3'], { ...env, WEIR_TOPIC: 'elsewhere' });
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringMatching(/has read nothing of topic elsewhere/) });
  });

  test('is refused with a transform that cannot be used, and says why', async () => {
    await put(EVENT);
    const of = async (file: string): Promise<string> => (await replay('1', '--transform', file)).stderr;
    expect(await of('nowhere.ts')).toMatch(/There is no file .*nowhere\.ts/);
    expect(await of(fileOf('broken.ts', 'export default (letter) => {'))).toMatch(
      /broken\.ts cannot be compiled: .*ERROR: Unexpected end of file/,
    );
    expect(await of(fileOf('none.ts', 'export const fix = 5;'))).toMatch(/it exports no function by default/);
    expect(
      await of(fileOf('large.ts', `export const a = '${'x'.repeat(70_000)}'; export default (l: unknown) => [l, a];`)),
    ).toMatch(/large\.ts has 7\d,\d+ bytes compiled .* may have 65,536/);
  });

  test('starts a workflow that anybody can list, halt, hurry and end', async () => {
    const { pool, spec, client, taskQueues } = world;
    await insertManyLetters(pool, spec.schema, 900);
    const selection = selectLetters({ status: ['open'] }, 0);
    const plan = await planReplay(pool, spec.schema, { selection, limit: null });
    const repair = { steps: [], transform: null };
    const input: ReplayInput = {
      spec,
      replay: 'abcd0123',
      selection,
      plan,
      repair,
      rate: 10,
      options: { ...world.options, taskQueues },
    };
    await client.workflow.start('replayDeadLetters', {
      workflowId: replayId('abcd0123'),
      taskQueue: taskQueues.windows,
      args: [input],
      memo: { topic: spec.topic },
    });
    const told = async (...words: string[]): Promise<string> =>
      (await runWeir(['dead-letters', 'replays', ...words], env)).stdout;
    expect(await told('pause', 'abcd0123')).toBe(
      `Replay abcd0123 of topic ${spec.topic} is paused. Paused between two pages; "weir dead-letters replays resume abcd0123" goes on from there.\n`,
    );
    expect(await told('rate', 'abcd0123', '50')).toMatch(/is paused, at most 50 letters a second\./);
    expect(await told()).toMatch(/abcd0123 .* paused +\d+ of 900 /);
    expect(await told('resume', 'abcd0123')).toMatch(
      /is sending\. Sends letters through the topic again, at most 50 a second\./,
    );
    expect(await told('cancel', 'abcd0123')).toMatch(/is cancelled\. Cancelled; what was sent stays sent\./);
    expect(JSON.parse(await told('--json'))).toMatchObject([
      { id: 'abcd0123', phase: 'cancelled', startedAt: expect.stringMatching(/^20.*Z$/), rate: 50, letters: 900 },
    ]);
    const gone = await runWeir(['dead-letters', 'replays', 'pause', 'ffff'], env);
    expect(gone.stderr).toBe(
      'weir: The replay ffff does not run; `weir dead-letters replays` says which run, and what came of those that are over.\n',
    );
  });
});
