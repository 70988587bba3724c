// A sample as one line for a person who watches.
import type { SoakSample } from './soak-sample.ts';

/** "12:00 lag 85 (0.0 s) | in 5,001/s ..." */
export function soakLine(sample: SoakSample): string {
  const { lag, commitMs, readableMs, memoryMiB, windows } = sample;
  const cpu = Object.entries(sample.cpuMicrosecondsPerEvent).map(([part, us]) => `${part} ${whole(us)}`);
  return [
    `${clock(sample.atSeconds)} lag ${lag.offsets} (${lag.seconds?.toFixed(1) ?? '-'} s)`,
    `${sample.producedPerSecond}/s in, ${sample.committedPerSecond}/s committed`,
    `commit ${whole(commitMs.p50)}/${whole(commitMs.p99)} ms`,
    `readable ${whole(readableMs.p50)}/${whole(readableMs.p99)} ms`,
    `rss ${whole(memoryMiB['worker'])}+${whole(memoryMiB['generator'])} MiB, heap ${whole(sample.heapUsedMiB.worker)}`,
    `dead ${sample.deadRows}, vacuums ${sample.autovacuums}`,
    `wal ${whole(sample.walMiB)} MiB, db ${whole(sample.databaseMib)} MiB`,
    `${windows.closed} windows after ${whole(windows.delayMs.p50)}/${whole(windows.delayMs.p99)} ms`,
    `load ${sample.loadAverage.toFixed(1)}`,
    `us/event ${cpu.join(' ')}`,
  ].join(' | ');
}

function whole(value: number | null | undefined): string {
  return value === null || value === undefined ? '-' : String(Math.round(value));
}

function clock(seconds: number): string {
  const rounded = Math.round(seconds);
  return `${String(Math.floor(rounded / 60)).padStart(2, '0')}:${String(rounded % 60).padStart(2, '0')}`;
}
