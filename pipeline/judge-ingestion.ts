// The verdict on ingestion: every partition is read, rests because somebody said so, or stands still although it should not.
import type { DataFacts, HealthFacts, PartitionFacts, PartitionWorkflow } from './health-facts.ts';
import { healthy, suspect, unhealthy, worst } from './stage-verdict.ts';
import type { Finding } from './stage-verdict.ts';

/** `resting`: somebody paused it, so that what waits for it is no fault. */
export type PartitionFinding = Finding & { readonly partition: number; readonly resting: boolean };

/** A lease that has lasted this long after a failure works again, although the workflow still counts the failure. */
const WORKS_AGAIN_MS = 10_000;

/** A finding for each partition; `first`: the facts of the first look, by which it shows what moves. */
export function judgePartitions(
  first: DataFacts,
  now: DataFacts,
  workflows: HealthFacts['workflows'],
): PartitionFinding[] {
  const earlier = new Map(first.partitions.map((each) => [each.partition, each]));
  return now.partitions.map((each) => {
    const moved = earlier.has(each.partition) && earlier.get(each.partition)?.nextOffset !== each.nextOffset;
    const of = workflows?.partitions.get(each.partition) ?? null;
    const resting = each.problem === null && of?.says?.phase === 'paused';
    const finding = isUnattended(workflows, of) ? judgeUnattended(each) : judgePartition(each, of, moved);
    return { partition: each.partition, resting, ...finding };
  });
}

/** Nobody is meant to read it: there is no pipeline. That one is missing is said once, by its own stage. */
function isUnattended(workflows: HealthFacts['workflows'], of: PartitionWorkflow | null): boolean {
  return workflows !== null && !workflows.pipeline.running && !of?.running;
}

function judgeUnattended({ partition, lag }: PartitionFacts): Finding {
  if (lag === 0) return healthy(`Partition ${partition} has nothing unread.`);
  return unhealthy(
    `Partition ${partition} has ${messages(lag)} unread, and no pipeline reads it.`,
    '`weir pipeline start` starts it.',
  );
}

function judgePartition(facts: PartitionFacts, of: PartitionWorkflow | null, moved: boolean): Finding {
  const { partition, lag, problem } = facts;
  const name = `Partition ${partition}`;
  if (problem !== null) return unhealthy(`${name} has stopped: ${problem}`, acceptGap(partition));
  const says = of?.says ?? null;
  if (says?.phase === 'stopped: lost range')
    return unhealthy(`${name} has stopped: ${says.message}`, acceptGap(partition));
  if (says?.phase === 'paused') {
    const by = says.pausedByPerson ? `\`weir partition resume ${partition}\`` : '`weir pipeline resume`';
    return healthy(`${name} is paused by hand with ${messages(lag)} unread.`, `${by} goes on.`);
  }
  if (moved) return healthy(`${name} moves.`);
  if (isFailing(of)) return suspect(`${name} cannot go on: ${says?.failures.message ?? 'its leases fail.'}`, WHY);
  if (of !== null && !of.running) {
    return suspect(
      `${name} has no workflow that reads it.`,
      '`weir pipeline start` starts what is missing; a running pipeline does within a minute.',
    );
  }
  if (lag === 0) return healthy(`${name} is read to its end.`);
  if (of !== null && !of.leased) {
    return suspect(
      `${name} has ${messages(lag)} unread, and no worker holds its lease.`,
      'Start a worker: `weir worker`, or `weir up --detach`.',
    );
  }
  const holder = of === null ? '' : ' although a worker holds its lease';
  return suspect(
    `${name} has ${messages(lag)} unread and stands still at offset ${facts.nextOffset ?? '-'}${holder}.`,
    WHY,
  );
}

const WHY = 'The log of its worker and `weir partition list` say why.';
const acceptGap = (partition: number): string =>
  `\`weir partition accept-gap ${partition}\` accepts the loss and goes on; \`weir partition resume ${partition}\` looks again.`;
const messages = (count: number): string => `${count.toLocaleString('en-US')} message${count === 1 ? '' : 's'}`;

function isFailing(of: PartitionWorkflow | null): boolean {
  if (!of?.says || of.says.failures.count === 0) return false;
  return of.says.phase === 'backing-off' || (of.says.leaseAgeMs ?? 0) < WORKS_AGAIN_MS;
}

/** All partitions as one finding. Those that rest are named also where all is well. */
export function judgeIngestion(partitions: readonly PartitionFinding[], { partitions: facts }: DataFacts): Finding {
  const found = worst(partitions);
  if (found === null) return healthy('The topic has no partition yet.');
  if (found.verdict !== 'healthy') return found;
  const lag = facts.reduce((sum, each) => sum + each.lag, 0);
  const resting = partitions.filter((each) => each.resting);
  const read = partitions.length - resting.length;
  const line = `${read} of ${partitions.length} partitions ${read === 1 ? 'is' : 'are'} read, ${messages(lag)} behind.`;
  const paused = worst(resting);
  return healthy(paused === null ? line : `${line} ${paused.reason}`, paused?.next ?? null);
}
