// Replays recorded histories: the workflow code of today must make of them what it made when they were recorded.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Runtime, Worker, bundleWorkflowCode } from '@temporalio/worker';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';

import { workflowsPath } from '../../workers/workflow-bundle.ts';
import { bundleOlderBuild } from './older-build.ts';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));
const SILENT = { trace: () => {}, debug: () => {}, info: () => {}, log: () => {}, warn: () => {}, error: () => {} };
const histories = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
const textOf = (name: string): string => readFileSync(`${FOLDER}${name}`, 'utf8');
/** Whether the run recorded a patch when it began. */
const isMarked = (name: string): boolean => textOf(name).includes('"markerName": "core_patch"');

describe('recorded histories', () => {
  let present: WorkflowBundleOption;
  let older: WorkflowBundleOption;
  const replay = async (text: string, workflowBundle = present): Promise<void> => {
    await Worker.runReplayHistory({ workflowBundle }, historyFromJSON(JSON.parse(text)));
  };

  beforeAll(async () => {
    Runtime.install({ logger: SILENT, telemetryOptions: { logging: { forward: {}, filter: 'OFF' } } });
    present = await bundleWorkflowCode({ workflowsPath: workflowsPath(), logger: SILENT });
    older = await bundleOlderBuild();
  });

  it('are there for every workflow, for runs that were begun before a patch, and for every way in which a run of it goes on or ends', () => {
    expect(histories).toEqual(
      expect.arrayContaining([
        'close-window.closed.json',
        'ingest-partition.gap-accepted.json',
        'before-tell-failures/ingest-partition.continued.json',
        'before-tell-failures/ingest-partition.stopped.json',
        'before-publish-letters/run-pipeline.continued.json',
        'before-publish-letters/run-pipeline.stopped.json',
        'ingest-partition.rewound.json',
        ...[
          'run-pipeline',
          'ingest-partition',
          'close-windows',
          'commit-offsets',
          'publish-letters',
          'generate-events',
        ].flatMap((workflow) => [`${workflow}.continued.json`, `${workflow}.stopped.json`]),
        ...['replay-dead-letters', 'reprocess'].flatMap((workflow) => [
          `${workflow}.continued.json`,
          `${workflow}.cancelled.json`,
          `${workflow}.done.json`,
        ]),
      ]),
    );
  });

  it.each(histories)('replay: %s', async (name) => {
    await expect(replay(textOf(name))).resolves.toBeUndefined();
  });

  it.each(histories.filter((name) => !isMarked(name)))('replay with the older build too: %s', async (name) => {
    await expect(replay(textOf(name), older)).resolves.toBeUndefined();
  });

  it.each(histories.filter(isMarked))('are refused by the older build when they hold a patch: %s', async (name) => {
    await expect(replay(textOf(name), older)).rejects.toThrow(DeterminismViolationError);
  });

  it('replay although their timers ran longer than today: how long a wait is may be left to chance and changed', async () => {
    const longer = textOf('ingest-partition.stopped.json').replaceAll(
      /"startToFireTimeout": "[^"]*"/g,
      '"startToFireTimeout": "99s"',
    );
    expect(longer).toContain('"99s"');
    await expect(replay(longer)).resolves.toBeUndefined();
  });

  it.each([
    ['run-pipeline.stopped.json', 'listPartitions'],
    ['ingest-partition.stopped.json', 'consumePartition'],
    ['close-windows.stopped.json', 'awaitWatermark'],
    ['commit-offsets.stopped.json', 'publishOffsets'],
    ['close-window.closed.json', 'moveClosed'],
    ['generate-events.stopped.json', 'produceEvents'],
  ])('fail when they tell of other commands than the code gives: %s', async (name, activity) => {
    const tampered = textOf(name).replaceAll(`"name": "${activity}"`, '"name": "somethingElse"');
    expect(tampered).not.toBe(textOf(name));
    await expect(replay(tampered)).rejects.toThrow(DeterminismViolationError);
  });
});
