// What every bench prints around its own figures: one JSON object that says on what, with what and when.
import type { Verification } from '../pipeline/check.ts';
import type { BenchPipeline } from './bench-pipeline.ts';
import { describeMachine, readPostgresSettings, readVersions } from './machine.ts';
import type { Machine, Versions } from './machine.ts';

export type Circumstances = {
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Versions;
  readonly postgresSettings: Readonly<Record<string, string>>;
};

/** Asked of the running parts. */
export async function readCircumstances(bench: BenchPipeline, brokerPid: number | null): Promise<Circumstances> {
  return {
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: await readVersions(bench.pool, { client: bench.client, brokerPid }),
    postgresSettings: await readPostgresSettings(bench.pool),
  };
}

export type Verified = {
  readonly clean: boolean;
  readonly differences: number;
  readonly failedChecks: readonly string[];
  readonly seconds: number;
};

/** The outcome of a verification, short enough for one line. */
export function summarizeVerification({ clean, differences, checks }: Verification, seconds: number): Verified {
  const failedChecks = checks.filter((check) => check.differences > 0).map(({ name }) => name);
  return { clean, differences, failedChecks, seconds };
}
