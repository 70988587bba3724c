// A lost range from the command line: seen in list and status, accepted with consent, and the partition goes on.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { readGaps } from '../../postgres/gaps.ts';
import { loseRange, untilAt, whilePaused, sendTo, deleteBefore, untilPhase } from '../workflows/lose-range.ts';
import { PipelineWorld, startWorker } from '../workflows/pipeline-world.ts';
import type { TestWorker } from '../workflows/pipeline-world.ts';
import { HAS_TERMINAL, answerWeir } from './on-terminal.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';

const LOST = /Offsets 40 to 69 of partition 0 of topic .* are gone: .*`weir partition accept-gap 0`\./;

const servers = inject('servers');
let worker: TestWorker;
let world: PipelineWorld;
let env: Record<string, string>;

const gaps = async (): Promise<number[][]> =>
  (await readGaps(world.pool, world.spec)).map(({ fromOffset, toOffset }) => [fromOffset, toOffset]);

beforeAll(async () => {
  worker = await startWorker(servers);
  world = await PipelineWorld.open(servers, worker.taskQueues);
  env = {
    WEIR_HOME: EMPTY_HOME,
    WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: servers.postgresUrl,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TOPIC: world.spec.topic,
    WEIR_SCHEMA: world.spec.schema,
  };
  await loseRange(world);
});

afterAll(async () => {
  await world.close();
  await worker.drain();
});

describe('a partition that has stopped on a lost range', { timeout: 120_000 }, () => {
  test.each([
    ['partition', 'list'],
    ['status', ''],
    ['pipeline', 'status'],
  ])('is named by weir %s %s, with its offsets and the command', async (...words) => {
    const { code, stdout } = await runWeir(words.filter(Boolean), env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/lost range/);
    expect(stdout).toMatch(LOST);
  });

  test('is accepted neither unasked nor where another partition is meant', async () => {
    const unasked = await runWeir(['partition', 'accept-gap', '0'], env);
    expect(unasked).toMatchObject({ code: 2, stdout: '' });
    expect(unasked.stderr).toBe(
      'weir: Accepting loses offsets 40 to 69 of partition 0 (30 messages at most) for good and nobody can be asked here; add --yes to do it.\n',
    );
    const other = await runWeir(['partition', 'accept-gap', '1', '--yes'], env);
    expect(other).toMatchObject({ code: 2, stdout: '' });
    expect(other.stderr).toMatch(
      /^weir: Partition 1 of topic .* is ingesting, and only one that has stopped on a lost range/,
    );
    const none = await runWeir(['partition', 'accept-gap', '7', '--yes'], env);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toMatch(/partition 7 .* does not run; `weir partition list` names the partitions/);
    expect(await gaps()).toEqual([]);
  });

  test.skipIf(!HAS_TERMINAL)('stays stopped after a no on the terminal, with exit code 1', async () => {
    const { code, output } = await answerWeir('partition accept-gap 0', { answer: 'no', env });
    expect(output).toMatch(/offsets 40 to 69 of partition 0 \(30 messages at most\) were never read/);
    expect(output).toMatch(/starts at 70 now and ends at 100: 30 are left\./);
    expect(output).toMatch(/Nothing was accepted; partition 0 stays stopped\./);
    expect(code).toBe(1);
    expect(await gaps()).toEqual([]);
  });

  test.skipIf(!HAS_TERMINAL)('goes on after a yes on the terminal', async () => {
    const { code, output } = await answerWeir('partition accept-gap 0', { answer: 'yes', env });
    expect(output).toMatch(
      /Accepted: offsets 40 to 69 are lost \(30 messages at most, table .*\.gaps\); partition 0 goes on at offset 70\./,
    );
    expect(code).toBe(0);
    await untilAt(world, 0, 100);
  });

  test('goes on with --yes; --json gives offsets as decimal strings; once more is refused', async () => {
    const [from, to] = HAS_TERMINAL ? [100, 110] : [40, 70];
    if (HAS_TERMINAL) {
      await whilePaused(world, 0, async () => {
        await sendTo(world, 0, 20);
        await deleteBefore(world, 0, to);
      });
      await untilPhase(world, 0, 'stopped: lost range');
    }
    const { code, stdout } = await runWeir(['partition', 'accept-gap', '0', '--yes', '--json'], env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      partition: 0,
      fromOffset: String(from),
      toOffset: String(to),
      lost: String(to - from),
    });
    await untilAt(world, 0, HAS_TERMINAL ? 120 : 100);
    const again = await runWeir(['partition', 'accept-gap', '0', '--yes'], env);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/is ingesting, and only one that has stopped/);
    const verified = await runWeir(['verify'], env);
    expect(verified.stdout).toMatch(/offsets accepted as lost \(table gaps\)\./);
    expect(verified.code).toBe(0);
    const list = await runWeir(['partition', 'list'], env);
    expect(list.stdout).not.toMatch(/lost range|are gone/);
  });
});
