// Messages of a generator without any server: what a preview and an export have in common.
import type { Command } from 'commander';

import { createMessageMaker } from '../generator/produced-message.ts';
import type { ProducedMessage } from '../generator/produced-message.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { wholeRun } from '../generator/whole-run.ts';
import { SETTINGS } from '../pipeline/setting-table.ts';
import { newSeed, specOf, withSpecFlags, withStartTime } from './generator-flags.ts';
import type { SpecFlags } from './generator-flags.ts';

export type OfflineFlags = SpecFlags & { readonly startTime?: number };

/** `endIndex`: infinite where neither count nor duration was given. `startMs`: when the first message is due, epoch ms. */
export type OfflineRun = {
  readonly spec: GeneratorSpec;
  readonly startMs: number;
  readonly endIndex: number;
  /** Messages from `fromIndex` up to, not including, `toIndex`. */
  messages(fromIndex: number, toIndex: number): ProducedMessage[];
};

/** Adds the flags that say which messages. */
export function withOfflineFlags(command: Command): Command {
  return withStartTime(withSpecFlags(command), 'when the first message is due, an ISO time (default: now)');
}

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
    messages: (fromIndex, toIndex) => maker.messages(segment, fromIndex, Math.min(toIndex, endIndex)),
  };
}
