// What a chaos run says in the end: a table of faults, what differs from the golden run, and whether all of it is clean.
import { tableOf } from '../../cli/output.ts';
import type { Verification } from '../../pipeline/check.ts';
import type { GoldenComparison } from './golden-run.ts';
import type { PublishedLetters } from './published-letters.ts';

/** One fault that was injected. Milliseconds; `recoveryMs` of each partition, from the fault's end to its next commit. */
export type Struck = {
  readonly fault: string;
  readonly hit: boolean;
  readonly detail: string;
  readonly recoveryMs: readonly number[];
  /** Longest time that any partition went without a commit. */
  readonly stillMs: number;
  readonly recovered: boolean;
  /** What the probes of the workers said that was not true, one sentence each. */
  readonly probeProblems: readonly string[];
};

export type ChaosReport = {
  readonly seed: number;
  readonly minutes: number;
  readonly rate: number;
  readonly messages: number;
  readonly faults: readonly FaultLine[];
  /** Faults that this machine does not allow, one sentence each. */
  readonly leftOut: readonly string[];
  readonly golden: GoldenComparison | null;
  readonly verification: { readonly clean: boolean; readonly differences: number } | null;
  /** The topic of dead letters held to their table. */
  readonly published: PublishedLetters | null;
  readonly late: number;
  readonly amendedRows: number;
  /** What is wrong, one sentence each; empty: the run is clean. */
  readonly problems: readonly string[];
};

export type FaultLine = {
  readonly fault: string;
  readonly injected: number;
  readonly hit: number;
  readonly recoveryP50Ms: number | null;
  readonly recoveryP99Ms: number | null;
  readonly stillMs: number | null;
};

/** The value below which this share of them lies; null of none. */
function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}

/** One line for each wanted fault, struck or not. */
export function faultLines(wanted: readonly string[], struck: readonly Struck[]): FaultLine[] {
  return wanted.map((fault) => {
    const those = struck.filter((one) => one.fault === fault);
    const recoveries = those.flatMap(({ recoveryMs }) => recoveryMs);
    return {
      fault,
      injected: those.length,
      hit: those.filter(({ hit }) => hit).length,
      recoveryP50Ms: percentile(recoveries, 0.5),
      recoveryP99Ms: percentile(recoveries, 0.99),
      stillMs: those.length === 0 ? null : Math.max(...those.map(({ stillMs }) => stillMs)),
    };
  });
}

/** What is wrong with what was struck. */
export function faultProblems(lines: readonly FaultLine[], struck: readonly Struck[]): string[] {
  return [
    ...lines
      .filter(({ injected }) => injected === 0)
      .map(({ fault }) => `The fault "${fault}" was never injected: let the run last longer.`),
    ...struck
      .filter(({ hit }) => !hit)
      .map(({ fault, detail }) => `The fault "${fault}" (${detail}) met no running work.`),
    ...struck
      .filter(({ recovered }) => !recovered)
      .map(({ fault, detail }) => `After the fault "${fault}" (${detail}) some partition did not commit in time.`),
    ...struck.flatMap(({ probeProblems }) => probeProblems),
  ];
}

/** What differs from the golden run and from the seed. */
export function goldenProblems(golden: GoldenComparison): string[] {
  const { missing, doubled, events, eventsOfSeed, tables, notOfSeed } = golden;
  return [
    ...(missing > 0 ? [`${missing} events are missing.`] : []),
    ...(doubled > 0 ? [`${doubled} events are there more than once or come from nowhere.`] : []),
    ...(events === eventsOfSeed ? [] : [`The seed makes ${eventsOfSeed} events, and ${events} are stored.`]),
    ...tables
      .filter((table) => table.missing > 0 || table.surplus > 0)
      .map(
        ({ table, ...of }) =>
          `${table}: ${of.missing} rows of the golden run are missing, ${of.surplus} differ or are too many.`,
      ),
    ...notOfSeed,
  ];
}

/** Sentences of the checks of a verification that found something. */
export function verificationProblems({ checks }: Verification): string[] {
  return checks
    .filter(({ differences }) => differences > 0)
    .map(
      ({ claim, examples, differences }) => `weir verify: ${claim}: ${differences} differences. ${examples.join(' ')}`,
    );
}

/** The report for people. */
export function reportText(report: ChaosReport): string {
  const seconds = (ms: number | null): string => (ms === null ? '-' : (ms / 1000).toFixed(1));
  const { golden, verification, published, faults, leftOut, problems } = report;
  const differing = golden?.tables.reduce((sum, { missing, surplus }) => sum + Math.max(missing, surplus), 0);
  return [
    `Seed ${report.seed}, ${report.minutes} min, ${report.rate} events/s, ${report.messages} messages, ${report.late} late, ${report.amendedRows} result rows amended.`,
    tableOf(
      ['fault', 'injected', 'met work', 'recovery p50 s', 'recovery p99 s', 'longest pause s'],
      faults.map((line) => [
        line.fault,
        String(line.injected),
        String(line.hit),
        seconds(line.recoveryP50Ms),
        seconds(line.recoveryP99Ms),
        seconds(line.stillMs),
      ]),
    ),
    ...leftOut,
    `Events: ${golden?.events ?? '-'} stored, ${golden?.missing ?? '-'} missing, ${golden?.doubled ?? '-'} doubled; rows different from the golden run: ${differing ?? '-'}; differences of weir verify: ${verification?.differences ?? '-'}.`,
    `Dead letters: ${published?.letters ?? '-'}, of which ${published?.missing ?? '-'} are not in their topic; ${published?.again ?? '-'} messages there repeat one, ${published?.foreign ?? '-'} are none.`,
    ...(problems.length === 0 ? ['Clean.'] : problems),
  ].join('\n');
}
