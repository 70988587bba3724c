// The current details of each workflow: short Markdown that a person reads in Temporal's Web UI.
import type { ConsumeResult } from '../activities/consume-partition.ts';
import type {
  OffsetsState,
  PartitionPhase,
  PartitionReport,
  PartitionState,
  PipelinePhase,
  PipelineState,
  WindowsState,
} from './commands.ts';

/** Epoch ms as ISO time without its milliseconds when they are zero; `-` for null. */
export function isoTime(ms: number | null): string {
  return ms === null ? '-' : new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** Whole number with thousands separators, the same in every locale. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function failureLines({ count, sinceMs }: PartitionState['failures']): string[] {
  return count === 0 ? [] : ['', `${plural(count, 'failure')} in a row since ${isoTime(sinceMs)}.`];
}

export function partitionDetails(
  state: PartitionState,
  { last, lastLeaseMs }: { last: ConsumeResult | null; lastLeaseMs: number },
): string {
  const lines = [`**Partition ${state.partition} of ${state.topic}: ${state.phase}**`, '', state.message];
  if (state.nextOffset !== null) lines.push('', `Next offset when the last lease ended: ${state.nextOffset}`);
  if (last !== null) {
    const { recorded, duplicate, late, rejected, skipped } = last.counts;
    const perSecond = lastLeaseMs > 0 ? Math.round((recorded * 1000) / lastLeaseMs) : 0;
    lines.push(
      '',
      `Last lease: ${plural(recorded, 'event')} recorded (${grouped(perSecond)}/s, ${grouped(late)} late), ` +
        `${grouped(duplicate)} duplicate, ${grouped(rejected)} rejected, ${grouped(skipped)} skipped; ended: ${last.reason}.`,
    );
  }
  return [...lines, ...failureLines(state.failures)].join('\n');
}

export function pipelineDetails(state: PipelineState): string {
  const lines = [`**Pipeline of ${state.topic}: ${state.phase}**`, '', state.message];
  if (state.partitions.length > 0) lines.push('', '| partition | phase | |', '| --- | --- | --- |');
  for (const { partition, phase, message } of state.partitions) lines.push(`| ${partition} | ${phase} | ${message} |`);
  if (state.restarts > 0)
    lines.push('', `${plural(state.restarts, 'child workflow')} restarted since the pipeline began.`);
  return [...lines, ...failureLines(state.failures)].join('\n');
}

export function windowsDetails(state: WindowsState): string {
  const lines = [
    `**Windows of ${state.topic}: ${state.phase}**`,
    '',
    state.message,
    '',
    `- low watermark: ${isoTime(state.lowWatermarkMs)}${state.heldBackBy === null ? '' : ` (held back by partition ${state.heldBackBy})`}`,
    `- closed through: ${isoTime(state.closedThroughMs)}`,
    `- written through: ${isoTime(state.writtenThroughMs)}`,
  ];
  if (state.amendedRows > 0) lines.push(`- rows amended for late events: ${grouped(state.amendedRows)}`);
  if (state.lastClosed.length > 0)
    lines.push('', '| closed through | windows | panes | events |', '| --- | ---: | ---: | ---: |');
  for (const { throughMs, windows, panes, events } of state.lastClosed) {
    lines.push(`| ${isoTime(throughMs)} | ${grouped(windows)} | ${grouped(panes)} | ${grouped(events)} |`);
  }
  return [...lines, ...failureLines(state.failures)].join('\n');
}

/** What one `closeWindow` wrote, in one line. */
export function closedSentence(closed: { windows: number; panes: number; events: number }): string {
  return `${plural(closed.windows, 'window')} closed over ${plural(closed.panes, 'pane')} with ${plural(closed.events, 'event')}.`;
}

export function offsetsDetails(state: OffsetsState): string {
  return [`**Offsets of ${state.topic}: ${state.phase}**`, '', state.message, ...failureLines(state.failures)].join(
    '\n',
  );
}

/** What a partition's phase means for the reader, and what to do about it. */
export function partitionMessage(
  phase: PartitionPhase,
  of: { partition: number; lease: number; failure: string | null; byPerson: boolean },
): string {
  const sentences: Record<PartitionPhase, string> = {
    starting: 'The first lease is about to begin.',
    ingesting: `Lease ${of.lease} runs; its heartbeat details (Pending Activities) show offset and lag as they move.`,
    'backing-off': `${of.failure ?? 'A lease failed.'} It is tried again by itself.`,
    rewinding: 'Moves back to read messages again; goes on by itself.',
    paused: of.byPerson
      ? `Paused; "weir partition resume ${of.partition}" goes on from the checkpoint.`
      : 'Paused with its pipeline; "weir pipeline resume" goes on from the checkpoint.',
    'stopped: lost range': `${of.failure ?? ''} Nothing is read until then; "weir partition resume ${of.partition}" looks again.`,
    stopped: 'Stopped with its pipeline; the checkpoint stays.',
  };
  return sentences[phase];
}

/** What a pipeline's phase means for the reader, and what to do about it. */
export function pipelineMessage(phase: PipelinePhase, of: { partitions: number; failure: string | null }): string {
  const sentences: Record<PipelinePhase, string> = {
    starting: 'Looking for the partitions of the topic.',
    running: `${plural(of.partitions, 'partition')} in ingestion; windows close as event time passes.`,
    pausing: 'The partitions commit the batch in hand and stop.',
    paused: 'Nothing is ingested until "weir pipeline resume"; what is complete still closes.',
    'backing-off': `${of.failure ?? 'A look failed.'} What runs goes on; the next look comes by itself.`,
    stopping: 'The children commit what they have in hand and end.',
    stopped: 'All children have ended; "weir pipeline start" goes on from the checkpoints.',
  };
  return sentences[phase];
}

/** What a pipeline knows of a partition that it has started and that has not reported yet. */
export function firstReport(partition: number, phase: 'starting' | 'ingesting'): PartitionReport {
  const message = phase === 'starting' ? 'Is being started.' : 'Ingests; its own workflow says more.';
  return { partition, phase, pausedByPerson: false, message };
}
