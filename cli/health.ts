// `weir health`: a verdict on every stage of a pipeline and one over all, with the reason and what to do next.
import type { Command } from 'commander';

import { parseDuration } from '../pipeline/duration.ts';
import { judgeHealth } from '../pipeline/judge-health.ts';
import type { Settings } from '../pipeline/settings.ts';
import { decided, isHealthy, isUndecided } from '../pipeline/stage-verdict.ts';
import type { StageVerdict } from '../pipeline/stage-verdict.ts';
import { listenForInterrupts, waitMs } from '../workers/interrupts.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { HealthReader } from './health-reader.ts';
import { printJson, printLine, styled } from './output.ts';

/** Longer than what ends by itself: a lost worker's lease (10 s), a wait between two tries (10 s). */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 1_000;

/** The command. */
export function healthCommand(): Command {
  return createCommand({
    name: 'health',
    summary: 'a verdict on every stage and one over all, with the reason; exit code 1 when it is unhealthy',
    more: [
      'Answers at once when nothing is in doubt. What stands still or fails at the first look is watched until it goes on,',
      'or for --patience: only then it counts. What somebody has paused is shown and is no fault.',
    ].join('\n'),
    examples: [
      ['weir health', 'for people; for probes the exit code'],
      ['weir health --json --patience 1m', 'for programs, on a machine that is very busy'],
    ],
    settings: [...WHERE, 'latenessMs', 'idleAfterMs', 'maxFutureMs', 'amendIntervalMs'],
  })
    .option('--json', 'print JSON')
    .option('--patience <duration>', 'how long something may stand still (default 20s)', parsedBy(parseDuration))
    .action(async ({ json, patience }: { json?: boolean; patience?: number }, command: Command) => {
      const { settings } = settingsOf(command);
      const stages = await judge(settings, patience ?? PATIENCE_MS);
      const { topic, schema } = settings;
      if (json) printJson({ topic, schema, takenAt: new Date().toISOString(), healthy: isHealthy(stages), stages });
      else for (const line of healthLines(topic, stages)) printLine(line);
      process.exitCode = isHealthy(stages) ? 0 : 1;
    });
}

async function judge(settings: Settings, patienceMs: number): Promise<StageVerdict[]> {
  const interrupts = listenForInterrupts();
  const reader = new HealthReader(settings);
  try {
    const first = await reader.look();
    const deadlineMs = performance.now() + patienceMs;
    let verdicts = judgeHealth(first, first);
    while (isUndecided(verdicts) && performance.now() < deadlineMs && !interrupts.signal.aborted) {
      await waitMs(LOOK_EVERY_MS, interrupts.signal);
      verdicts = judgeHealth(first, await reader.look());
    }
    // Who did not wait has not seen that it stays so.
    return interrupts.signal.aborted ? verdicts : decided(verdicts);
  } finally {
    interrupts.forget();
    await reader.close();
  }
}

function healthLines(topic: string, stages: readonly StageVerdict[]): string[] {
  const width = Math.max(...stages.map(({ stage }) => stage.length));
  const indent = ' '.repeat(MARK_COLUMNS + 2 + width + 2);
  const overall = isHealthy(stages) ? styled('green', 'healthy') : styled('red', 'unhealthy');
  return [
    `${styled('bold', topic)}: ${overall}`,
    ...stages.flatMap(({ stage, verdict, reason, next }) => [
      `${MARKS[verdict]()}  ${stage.padEnd(width)}  ${reason}`,
      ...(next === null ? [] : [`${indent}${next}`]),
    ]),
  ];
}

const MARK_COLUMNS = 'unhealthy'.length;
const MARKS: Readonly<Record<StageVerdict['verdict'], () => string>> = {
  healthy: () => styled('green', 'healthy'.padEnd(MARK_COLUMNS)),
  suspect: () => styled('yellow', 'suspect'.padEnd(MARK_COLUMNS)),
  unhealthy: () => styled('red', 'unhealthy'.padEnd(MARK_COLUMNS)),
  unknown: () => styled('yellow', 'unknown'.padEnd(MARK_COLUMNS)),
};
