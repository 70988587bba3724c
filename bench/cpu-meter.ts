// CPU time of each part of a running pipeline, between two moments.
import { cpuSecondsOf, processListeningOn } from './process-cpu.ts';

/** Process ids by part; null: it does not run on this machine, so it cannot be measured. */
export type Parts = Readonly<Record<string, number | null>>;

/** CPU microseconds per event by part; null where it was not measured. */
export type CpuPerEvent = Readonly<Record<string, number | null>>;

/** The servers' processes, found by the ports that they listen on. */
export function serverParts({ brokers, postgresUrl }: { brokers: readonly string[]; postgresUrl: string }): {
  readonly broker: number | null;
  readonly postgres: number | null;
} {
  const brokerPort = Number(brokers[0]?.split(':').at(-1));
  const postgresPort = Number(new URL(postgresUrl).port || 5432);
  return { broker: processListeningOn(brokerPort), postgres: processListeningOn(postgresPort) };
}

/** Starts measuring; the returned function says what was used since. */
export function startCpuMeter(parts: Parts): (events: number) => CpuPerEvent {
  const read = (): (number | null)[] => Object.values(parts).map((pid) => (pid === null ? null : cpuSecondsOf(pid)));
  const before = read();
  return (events) => {
    const after = read();
    return Object.fromEntries(
      Object.keys(parts).map((part, at) => {
        const [from, to] = [before[at] ?? null, after[at] ?? null];
        return [part, from === null || to === null ? null : round(((to - from) * 1e6) / events)];
      }),
    );
  };
}

/** Two decimals are more than a run repeats. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
