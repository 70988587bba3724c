// Which worker process holds which partition, as Temporal knows it.
import { partitionId } from '../pipeline/ids.ts';
import type { BenchPipeline } from './bench-pipeline.ts';

/** Process id of the holder by partition; null: nobody at this moment. */
export type LeaseHolders = readonly (number | null)[];

export async function leaseHolders({ client, options, spec }: BenchPipeline): Promise<LeaseHolders> {
  return await Promise.all(
    Array.from({ length: options.partitions }, async (_, partition) => {
      const { raw } = await client.workflow.getHandle(partitionId(spec.topic, partition)).describe();
      const lease = raw.pendingActivities?.[0];
      // The identity of a worker begins with its process id (workers/worker.ts).
      return lease?.lastStartedTime ? Number.parseInt(lease.lastWorkerIdentity ?? '', 10) : null;
    }),
  );
}

/** How many leases each of `pids` holds, in order. */
export function heldBy(holders: LeaseHolders, pids: readonly number[]): number[] {
  return pids.map((pid) => holders.filter((holder) => holder === pid).length);
}

/** Whether every lease is held by one of `pids`, by each as many as by the others, give or take one. */
export function isSpread(holders: LeaseHolders, pids: readonly number[]): boolean {
  const held = heldBy(holders, pids);
  const all = held.reduce((sum, leases) => sum + leases, 0);
  return all === holders.length && Math.max(...held) - Math.min(...held) <= 1;
}
