// `weir up --prometheus`: the machine's own Prometheus reaches every worker of the home, and takes every rule.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { Type } from '@sinclair/typebox';
import type { TSchema } from '@sinclair/typebox';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { parseJson } from '../../local/json-file.ts';
import { findTool } from '../../local/machine.ts';
import { must } from '../../pipeline/ensure.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const name = `prometheus-${randomBytes(4).toString('hex')}`;
const home = mkdtempSync(join(tmpdir(), 'weir-prometheus-'));
chmodSync(home, 0o755);

const Status = Type.Object({
  prometheus: Type.Union([
    Type.Null(),
    Type.Object({
      address: Type.String(),
      state: Type.String(),
      pid: Type.Union([Type.Integer(), Type.Null()]),
    }),
  ]),
});
const Targets = Type.Object({
  data: Type.Object({
    activeTargets: Type.Array(
      Type.Object({ labels: Type.Object({ job: Type.String(), instance: Type.String() }), health: Type.String() }),
    ),
  }),
});
const Rules = Type.Object({
  data: Type.Object({
    groups: Type.Array(
      Type.Object({
        rules: Type.Array(
          Type.Object({ name: Type.String(), health: Type.String(), lastError: Type.Optional(Type.String()) }),
        ),
      }),
    ),
  }),
});

async function weir(args: string[], env: Record<string, string>): Promise<Ended> {
  return await runWeir(args, { WEIR_HOME: home, ...env });
}

test('without a prometheus on PATH it starts nothing, and says what to install', async () => {
  const ended = await weir(['up', '--detach', '--prometheus'], { PATH: home });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('There is no prometheus on PATH: install it');
});

describe.skipIf(findTool('prometheus') === null)('with Debian package prometheus', () => {
  let env: Record<string, string> = {};

  beforeAll(async () => {
    const { schema } = await freshDatabase();
    env = {
      WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
      WEIR_POSTGRES_URL: postgresUrl,
      WEIR_TEMPORAL_ADDRESS: temporalAddress,
      // Of its own, so that no other test's workers take this pipeline's tasks.
      WEIR_TEMPORAL_NAMESPACE: name,
      WEIR_TOPIC: name,
      WEIR_SCHEMA: schema,
      WEIR_PARTITIONS: '2',
      WEIR_WORKERS: '2',
      WEIR_METRICS_ADDRESS: '127.0.0.1:0',
    };
    const connection = await Connection.connect({ address: temporalAddress });
    await connection.workflowService.registerNamespace({
      namespace: name,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    await eventually(() => connection.workflowService.describeNamespace({ namespace: name }), {
      deadlineMs: 30_000,
      what: 'the namespace is known',
    });
    await connection.close();
  });

  afterAll(async () => {
    await weir(['down'], env);
    rmSync(home, { recursive: true, force: true });
  });

  const status = async (): Promise<NonNullable<(typeof Status)['static']['prometheus']>> => {
    const { stdout } = await weir(['stack', 'status', '--json'], env);
    return must(parseJson(stdout, Status)?.prometheus ?? null, `Prometheus in ${stdout}`);
  };

  test(
    'every worker is a target that answers, every rule is taken, and down ends it',
    { timeout: 300_000 },
    async () => {
      const up = await weir(['up', '--detach', '--no-generator', '--create-topic', '--prometheus'], env);
      expect(up, up.stderr).toMatchObject({ code: 0 });
      const { address, state } = await status();
      expect(state).toBe('running');
      expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(up.stdout).toContain(`  Prometheus  ${address}`);

      const ask = async <Shape extends TSchema>(path: string, shape: Shape): Promise<Shape['static']> => {
        const text = await (await fetch(`${address}/api/v1/${path}`)).text();
        return must(parseJson(text, shape), `an answer of the expected shape in ${text}`);
      };
      const targets = await eventually(
        async () => {
          const { activeTargets } = (await ask('targets', Targets)).data;
          return activeTargets.length === 4 && activeTargets.every(({ health }) => health === 'up') && activeTargets;
        },
        { deadlineMs: 90_000, what: 'both pages of both workers are targets that answer' },
      );
      expect(targets.map(({ labels }) => `${labels.job}/${labels.instance}`).toSorted()).toEqual([
        'temporal-sdk/worker-1',
        'temporal-sdk/worker-2',
        'weir/worker-1',
        'weir/worker-2',
      ]);
      const rules = await eventually(
        async () => {
          const all = (await ask('rules', Rules)).data.groups.flatMap((group) => group.rules);
          return all.length > 0 && all.every(({ health }) => health !== 'unknown') && all;
        },
        { deadlineMs: 90_000, what: 'every rule was worked out once' },
      );
      expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);

      expect((await weir(['down'], env)).stdout).toContain('prometheus stopped');
      expect(await status()).toMatchObject({ state: 'stopped', pid: null });
      await expect(fetch(`${address}/-/ready`)).rejects.toThrow('fetch failed');
    },
  );
});
