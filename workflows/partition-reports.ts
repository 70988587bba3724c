// What a partition tells its pipeline of itself: each piece of news once, and failures only when they are worth it.
import { CancellationScope, getExternalWorkflowHandle } from '@temporalio/workflow';

import { pipelineId } from '../pipeline/ids.ts';
import { partitionReportSignal } from './commands.ts';
import type { Failures, PartitionReport } from './commands.ts';
import { failureType } from './failure-series.ts';
import { isPatched } from './patches.ts';

const TOLD_FROM_FAILURES = 3;

export class PartitionReports {
  /** What the pipeline was last told; before anything was said it takes for granted that a partition ingests. */
  told: string;
  private readonly pipeline: string;
  private readonly tellsFailures = isPatched('tellFailures');

  constructor(topic: string, told = 'ingesting') {
    this.pipeline = pipelineId(topic);
    this.told = told;
  }

  /** Servers that were away for a moment are nobody's concern; two owners of one partition are, at once. */
  isWorthTelling(failure: unknown, { count }: Failures): boolean {
    return this.tellsFailures && (failureType(failure) === 'Fenced' || count >= TOLD_FROM_FAILURES);
  }

  /** Sends the report unless the pipeline has heard that news last; a pipeline that is gone is no reason to fail. */
  async tell(news: string, report: PartitionReport): Promise<void> {
    if (news === this.told) return;
    this.told = news;
    await CancellationScope.nonCancellable(async () => {
      await getExternalWorkflowHandle(this.pipeline)
        .signal(partitionReportSignal, report)
        .catch(() => {});
    });
  }
}
