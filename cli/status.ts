// `weir status`: how far the pipeline is, once, as JSON, or as a view that follows it.
import type { Command } from 'commander';

import { WHERE, createCommand, settingsOf } from './command.ts';
import { printJson, printLine } from './output.ts';
import { readStatus } from './status-report.ts';
import { statusLines } from './status-text.ts';
import { watchStatus } from './watch-status.ts';

/** The command. */
export function statusCommand(): Command {
  return createCommand({
    name: 'status',
    summary: 'lag in offsets and in time, watermark, closed windows, rates and counts',
    more: 'Reads PostgreSQL and Kafka themselves, so it also works while no worker is up. caughtUp: nothing is unread, no window could close, no late event waits.',
    examples: [
      ['weir status --watch', 'a full-screen view, until Ctrl-C; lines where there is no terminal'],
      ['weir status --json', 'one JSON document for programs'],
    ],
    settings: [...WHERE, 'latenessMs', 'idleAfterMs', 'maxFutureMs'],
  })
    .option('--json', 'print JSON')
    .option('--watch', 'follow it on the whole screen, or as a line a second without a terminal')
    .action(async ({ json, watch }: { json?: boolean; watch?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      if (watch) {
        await watchStatus(settings, { json: Boolean(json) });
        return;
      }
      const report = await readStatus(settings);
      if (json) printJson(report);
      else printLine(statusLines(report).join('\n'));
    });
}
