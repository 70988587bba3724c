// Flags of the commands that make messages without any server: which messages.
import type { Command } from 'commander';

import { withSpecFlags, withStartTime } from './generator-flags.ts';
import type { SpecFlags } from './generator-flags.ts';

export type OfflineFlags = SpecFlags & { readonly startTime?: number };

/** Adds the flags. */
export function withOfflineFlags(command: Command): Command {
  return withStartTime(withSpecFlags(command), 'when the first message is due, an ISO time (default: now)');
}
