// The orderly end: the generator pauses, workers commit what is in hand and end, then the servers stop.
import { stopStack } from '../local/stack.ts';
import type { StackProcess } from '../local/home-folder.ts';
import type { Settings } from '../pipeline/settings.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { addressesOf } from './addresses.ts';
import { pauseDemo } from './demo.ts';
import { grouped, plural } from './output.ts';
import { liveProcess, recordedWorkers } from './process-record.ts';
import { openStatusReader } from './status-report.ts';
import { openControl } from './temporal-control.ts';
import { drainWorkers } from './worker-crew.ts';

const DRAIN_WITHIN_MS = 30_000;

type TakeDown = {
  readonly settings: Settings;
  readonly report: (line: string) => void;
  /** Servers that are left running, because somebody else had started them. */
  readonly keep?: readonly StackProcess[];
};

/** Ends what runs in the home, in order. Each step is tried even where the one before failed. */
export async function takeDown({ settings, report, keep = [] }: TakeDown): Promise<void> {
  if (await paused(settings)) report('The demo generator is paused');
  const { workers, killed } = await drainWorkers(settings.home, DRAIN_WITHIN_MS);
  if (workers > 0)
    report(
      `${plural(workers, 'worker')} drained${killed > 0 ? `, ${killed} of them killed after ${DRAIN_WITHIN_MS / 1000} s` : ''}`,
    );
  const summary = workers > 0 ? await summaryOf(settings) : null;
  const stopped = await stopStack({ home: settings.home, keep });
  if (stopped.length > 0) report(`${stopped.join(', ')} stopped`);
  if (keep.length > 0) report(`${keep.join(', ')} ran before and are left running; \`weir down\` ends them`);
  if (summary !== null) report(summary);
}

/** The same without waiting for anybody: what was not committed is read again next time. */
export async function takeDownAtOnce({ settings, report, keep = [] }: TakeDown): Promise<void> {
  report('Ending at once; nothing is lost: what was not committed is read again next time');
  await drainWorkers(settings.home, 0);
  await stopStack({ home: settings.home, keep });
}

async function paused(settings: Settings): Promise<boolean> {
  // Without a worker nobody would answer, and nothing is being made either.
  if (!recordedWorkers(settings.home).some((name) => liveProcess(settings.home, name) !== null)) return false;
  try {
    const { address } = addressesOf(settings).temporal;
    const control = await openControl({ address, namespace: settings.temporalNamespace });
    try {
      return await pauseDemo(control, settings.topic);
    } finally {
      await control.close();
    }
  } catch {
    // No Temporal, or a worker that does not answer: the generator goes on after the next start, from where it stands.
    return false;
  }
}

async function summaryOf(settings: Settings): Promise<string | null> {
  try {
    const reader = await openStatusReader(settings);
    try {
      const { totals, lag } = await reader.read();
      const waiting = lag === 0 ? 'nothing is unread' : `${plural(lag, 'message')} still to be read from Kafka`;
      return `Committed: ${grouped(totals.recorded)} events in ${grouped(totals.windows)} closed windows, ${grouped(totals.rejected)} dead letters; ${waiting}.`;
    } finally {
      await reader.close();
    }
  } catch (thrown) {
    return `What was committed could not be counted (${messageOf(thrown)}); \`weir status\` does it after the next start.`;
  }
}
