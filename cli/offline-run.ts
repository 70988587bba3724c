// Messages of a generator without any server: what a preview and an export have in common.
import type { Item } from '../generator/catalogue.ts';
import { createMessageMaker } from '../generator/produced-message.ts';
import type { ProducedMessage } from '../generator/produced-message.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { wholeRun } from '../generator/whole-run.ts';
import { createWorld } from '../generator/world.ts';
import { SETTINGS } from '../pipeline/setting-table.ts';
import { newSeed, specOf } from './generator-flags.ts';
import type { OfflineFlags } from './offline-flags.ts';

/** `endIndex`: infinite where neither count nor duration was given. `startMs`: when the first message is due, epoch ms. */
export type OfflineRun = {
  readonly spec: GeneratorSpec;
  readonly startMs: number;
  readonly endIndex: number;
  readonly items: readonly Item[];
  /** Messages from `fromIndex` up to, not including, `toIndex`. */
  messages(fromIndex: number, toIndex: number): ProducedMessage[];
};

/** The messages that `weir generator start` with these flags would make. Throws CliFailure with every problem. */
export function offlineRun({ startTime, ...flags }: OfflineFlags): OfflineRun {
  const startMs = startTime ?? Date.now();
  // Neither topic nor name decides anything about a message.
  const given = { topic: SETTINGS.topic.default, name: 'offline', seed: newSeed(), startTimeMs: startMs };
  const spec = specOf(given, flags);
  const { segment, endIndex } = wholeRun(spec, startMs);
  const maker = createMessageMaker(spec);
  return {
    spec,
    startMs,
    endIndex,
    items: createWorld(spec).items,
    messages: (fromIndex, toIndex) => maker.messages(segment, fromIndex, Math.min(toIndex, endIndex)),
  };
}
