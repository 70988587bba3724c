// The time between start and Ctrl-C: a view that is drawn anew every second, or a line every few seconds where nobody looks.
import { createLogUpdate } from 'log-update';

import { startStack } from '../local/stack.ts';
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { messageOf, must } from '../pipeline/ensure.ts';
import { newestResultRows } from '../postgres/closed-windows.ts';
import type { Plan, Running } from './bring-up.ts';
import { explain } from './failure.ts';
import { waitMs } from '../workers/interrupts.ts';
import { addressLines, liveView } from './live-view.ts';
import { printLine } from './output.ts';
import { openStatusReader } from './status-report.ts';
import type { StatusReader } from './status-report.ts';
import { plainLine } from './status-text.ts';

const VIEW_EVERY_MS = 1_000;
const LINE_EVERY_MS = 5_000;
const SHOWN_ROWS = 6;
const SHOWN_NOTICES = 4;

/** Shows the pipeline until the plan's signal. A server that ended by itself is started again. */
export async function watchLive(running: Running, { settings: wished, signal }: Plan): Promise<void> {
  const notices: string[] = [];
  const view = process.stdout.isTTY ? createLogUpdate(process.stdout) : null;
  const notice = (line: string): void => {
    if (view === null) printLine(line);
    else notices.push(`${new Date().toISOString().slice(11, 19)} ${line}`);
  };
  running.crew.reportTo(notice);
  if (view === null) for (const line of addressLines(running)) printLine(line);
  const startedAtMs = Date.now();
  let reader: StatusReader | null = null;
  while (!signal.aborted) {
    try {
      reader ??= await openStatusReader(running.settings);
      const report = await reader.read();
      if (view === null) printLine(plainLine(report));
      else {
        const rows = await newestRows(reader, running.settings.schema);
        view(liveView({ running, report, rows, startedAtMs, notices: notices.slice(-SHOWN_NOTICES) }));
      }
    } catch (thrown) {
      notice(explain(thrown).lines.join(' '));
      await reader?.close().catch(() => {});
      reader = null;
      await revive(running, { wished, notice });
    }
    await waitMs(view === null ? LINE_EVERY_MS : VIEW_EVERY_MS, signal);
  }
  view?.done();
  await reader?.close();
}

async function newestRows(reader: StatusReader, schema: string): Promise<Awaited<ReturnType<typeof newestResultRows>>> {
  const table = must(AGGREGATES[0], 'at least one aggregate is declared');
  return await newestResultRows(reader.pool, schema, { table, limit: SHOWN_ROWS });
}

/** Starting a stack that runs changes nothing, so this starts exactly what has ended. */
async function revive(
  { settings }: Running,
  { wished, notice }: { wished: Plan['settings']; notice: (line: string) => void },
): Promise<void> {
  try {
    await startStack({ ...wished, home: settings.home, report: notice });
  } catch (thrown) {
    notice(messageOf(thrown));
  }
}
