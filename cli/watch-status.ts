// `weir status --watch`: a full-screen view that is drawn anew every second; lines where there is no terminal to draw on.
import { newestWindows } from '../postgres/closed-windows.ts';
import type { Settings } from '../pipeline/settings.ts';
import { listenForInterrupts, waitMs } from '../workers/interrupts.ts';
import { environment } from './environment.ts';
import { explain } from './failure.ts';
import { canDraw, enterFullScreen } from './full-screen.ts';
import { marksFor } from './marks.ts';
import { printLine, styled } from './output.ts';
import { openStatusReader } from './status-report.ts';
import type { StatusReader } from './status-report.ts';
import { plainLine, problemTexts } from './status-text.ts';
import { painted } from './styled-line.ts';
import { NO_HISTORY, withReading } from './watch-history.ts';
import { watchView } from './watch-view.ts';
import type { Watched } from './watch-view.ts';

const EVERY_MS = 1_000;
const READ_WINDOWS = 6;

/** Watches until Ctrl-C. With `json` a line of JSON every second. */
export async function watchStatus(settings: Settings, { json }: { json: boolean }): Promise<void> {
  const interrupts = listenForInterrupts();
  const stopped = new AbortController();
  interrupts.signal.addEventListener('abort', () => stopped.abort(), { once: true });
  try {
    if (!json && canDraw(environment())) await drawAgainAndAgain(settings, stopped);
    else await printAgainAndAgain(settings, { json, signal: stopped.signal });
  } finally {
    interrupts.forget();
  }
}

type Printing = { readonly json: boolean; readonly signal: AbortSignal };

async function printAgainAndAgain(settings: Settings, { json, signal }: Printing): Promise<void> {
  const reader = await openStatusReader(settings);
  try {
    while (!signal.aborted) {
      const report = await reader.read();
      if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else for (const line of [plainLine(report), ...problemTexts(report)]) printLine(line);
      await waitMs(EVERY_MS, signal);
    }
  } finally {
    await reader.close();
  }
}

async function drawAgainAndAgain(settings: Settings, stopped: AbortController): Promise<void> {
  let reader: StatusReader | null = await openStatusReader(settings);
  // What keeps the first reading from working is said on the screen that was there before.
  let watched: Watched | null = null;
  try {
    watched = await readAgain(reader, settings, null);
  } catch (thrown) {
    await reader.close();
    throw thrown;
  }
  const screen = enterFullScreen(() => stopped.abort());
  const marks = marksFor(environment());
  const draw = (): void => {
    if (watched === null) return;
    screen.draw(watchView(watched, { ...screen.size(), marks }).map((line) => painted(line, styled)));
  };
  screen.onChange(draw);
  try {
    while (!stopped.signal.aborted) {
      draw();
      await waitMs(EVERY_MS, stopped.signal);
      try {
        reader ??= await openStatusReader(settings);
        watched = await readAgain(reader, settings, watched);
      } catch (thrown) {
        watched = { ...watched, trouble: `${explain(thrown).lines.join(' ')} Tried again every second.` };
        await reader?.close().catch(() => {});
        reader = null;
      }
    }
  } finally {
    screen.leave();
    await reader?.close();
  }
}

async function readAgain(reader: StatusReader, { schema }: Settings, before: Watched | null): Promise<Watched> {
  const report = await reader.read();
  const windows = await newestWindows(reader.pool, schema, { aggregate: null, limit: READ_WINDOWS });
  return { report, windows, history: withReading(before?.history ?? NO_HISTORY, report), trouble: null };
}
