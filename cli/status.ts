// `weir status`: how far the pipeline is, once, as JSON, or again every second.
import type { Command } from 'commander';
import { createLogUpdate } from 'log-update';

import { WHERE, createCommand, settingsOf } from './command.ts';
import { printJson, printLine } from './output.ts';
import { openStatusReader, readStatus } from './status-report.ts';
import { statusLines } from './status-text.ts';

/** The command. */
export function statusCommand(): Command {
  return createCommand({
    name: 'status',
    summary: 'lag in offsets and in time, watermark, closed windows, rates and counts',
    more: 'Reads PostgreSQL and Kafka themselves, so it also works while no worker is up. caughtUp: nothing is unread, no window could close, no late event waits.',
    examples: [
      ['weir status --watch', 'again every second, until Ctrl-C'],
      ['weir status --json', 'one JSON document for programs'],
    ],
    settings: [...WHERE, 'latenessMs', 'idleAfterMs', 'maxFutureMs'],
  })
    .option('--json', 'print JSON')
    .option('--watch', 'print again every second')
    .action(async ({ json, watch }: { json?: boolean; watch?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      if (watch) {
        await watchStatus(settings, Boolean(json));
        return;
      }
      const report = await readStatus(settings);
      if (json) printJson(report);
      else printLine(statusLines(report).join('\n'));
    });
}

async function watchStatus(settings: Parameters<typeof openStatusReader>[0], json: boolean): Promise<void> {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
  const reader = await openStatusReader(settings);
  const draw = process.stdout.isTTY && !json ? createLogUpdate(process.stdout) : null;
  try {
    while (!stopped.signal.aborted) {
      const report = await reader.read();
      if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else if (draw) draw(statusLines(report).join('\n'));
      else printLine(`${statusLines(report).join('\n')}\n`);
      await nextSecond(stopped.signal);
    }
  } finally {
    draw?.done();
    await reader.close();
  }
}

/** Waits a second, or less when the signal comes first. */
async function nextSecond(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    const timer = setTimeout(resolve, 1_000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
