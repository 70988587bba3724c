// The partitions that a pipeline knows of, with what each has last reported of itself.
import type { PartitionPhase, PartitionReport } from './commands.ts';
import { firstReport } from './details.ts';

const RESTING: ReadonlySet<PartitionPhase> = new Set(['paused', 'stopped: lost range', 'stopped']);

export class PartitionBook {
  private readonly entries = new Map<number, PartitionReport>();

  constructor(reports: readonly PartitionReport[] = []) {
    for (const report of reports) this.note(report);
  }

  note(report: PartitionReport): void {
    this.entries.set(report.partition, report);
  }

  /** Enters partitions that are about to be started. */
  found(partitions: readonly number[]): void {
    for (const partition of partitions) {
      if (!this.entries.has(partition)) this.note(firstReport(partition, 'starting'));
    }
  }

  /** A partition reports when it rests, goes on or stops: one that has started and said nothing else ingests. */
  started(partitions: readonly number[]): void {
    for (const partition of partitions) {
      if (this.entries.get(partition)?.phase === 'starting') this.note(firstReport(partition, 'ingesting'));
    }
  }

  get numbers(): number[] {
    return [...this.entries.keys()];
  }

  /** By partition. */
  get reports(): PartitionReport[] {
    return [...this.entries.values()].toSorted((left, right) => left.partition - right.partition);
  }

  allRest(): boolean {
    return this.reports.every(({ phase }) => RESTING.has(phase));
  }

  /** Partitions that a person paused, or that lost a range, rest on: nothing to wait for. */
  noneRestsWithThePipeline(): boolean {
    return this.reports.every(({ phase, pausedByPerson }) => phase !== 'paused' || pausedByPerson);
  }
}
