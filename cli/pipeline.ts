// `weir pipeline`: starts the workflows of a topic, pauses and resumes them, stops them, says what they do.
import type { Command } from 'commander';

import type { SettingName } from '../pipeline/setting-table.ts';
import { pipelineSpec } from '../pipeline/settings.ts';
import { refuseRestored } from '../postgres/restored-schema.ts';
import type { PipelineState } from '../workflows/commands.ts';
import { addressesOf } from './addresses.ts';
import { WHERE, createCommand, settingsOf } from './command.ts';
import { printJson, printLine, printProgress, tableOf } from './output.ts';
import { provideTopics } from './provide-topics.ts';
import { startPipeline } from './start-pipeline.ts';
import { pipelineTarget } from './targets.ts';
import { withControl, withPool } from './with-servers.ts';

/** Settings that decide what results say, for the commands that start a pipeline. */
const RULES: readonly SettingName[] = [
  'latenessMs',
  'idleAfterMs',
  'maxFutureMs',
  'amendHorizonMs',
  'amendIntervalMs',
  'sessionGapMs',
  'sessionMaxMs',
  'retentionMs',
];

/** The group of commands. */
export function pipelineCommand(): Command {
  return createCommand({
    name: 'pipeline',
    summary: 'start, pause, resume or stop the pipeline of a topic, or say what it does',
    examples: [['weir pipeline status', 'phase of the pipeline and of each partition']],
  })
    .addCommand(startCommand())
    .addCommand(verb('pause', 'let every partition commit the batch in hand and rest', 'paused'))
    .addCommand(verb('resume', 'go on from the checkpoints', 'running'))
    .addCommand(verb('stop', 'end the workflows; checkpoints and tables stay', 'stopped'))
    .addCommand(statusCommand());
}

function startCommand(): Command {
  return createCommand({
    name: 'start',
    summary: 'start the pipeline, or leave it as it is when it runs',
    more: 'The tables must exist (weir migrate), and the topic unless --create-topic is given; weir up makes both. Workers do the work (weir worker).',
    examples: [
      ['weir pipeline start --lateness 20s', 'windows close 20 s behind the newest event'],
      ['weir pipeline start --topic orders --schema orders', 'a second pipeline beside the first'],
    ],
    settings: [...WHERE, 'partitions', ...RULES],
  })
    .option('--create-topic', 'make the topic, and that of its dead letters, where they are missing')
    .action(async ({ createTopic }: { createTopic?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      await withPool(settings, (pool) => refuseRestored(pool, settings.schema));
      if (createTopic) await provideTopics({ settings, createTopic, report: printProgress }, addressesOf(settings));
      await withControl(settings, async (control) => {
        const { outcome, differences, note } = await startPipeline(control, pipelineSpec(settings));
        if (note !== null) printProgress(note);
        printLine(startSentence(settings.topic, outcome, differences));
      });
    });
}

function startSentence(topic: string, outcome: 'started' | 'running', differences: readonly string[]): string {
  if (outcome === 'started') return `The pipeline of topic ${topic} is started; \`weir status\` shows how far it is.`;
  if (differences.length === 0) return `The pipeline of topic ${topic} runs already, with these settings.`;
  return `The pipeline of topic ${topic} runs already with other settings (${differences.join(', ')}); \`weir pipeline stop\` first, then start it.`;
}

function verb(name: 'pause' | 'resume' | 'stop', summary: string, outcome: string): Command {
  return createCommand({
    name,
    summary,
    examples: [[`weir pipeline ${name}`, `the answer comes when the pipeline is ${outcome}`]],
    settings: WHERE,
  })
    .option('--json', 'print the state as JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        // Resting waits for the batches in hand, so this answer may take longer than others.
        const state = await control.update<PipelineState>(pipelineTarget(settings.topic), name, { withinMs: 35_000 });
        if (json) printJson(state);
        else printState(state);
      });
    });
}

function statusCommand(): Command {
  return createCommand({
    name: 'status',
    summary: 'phase of the pipeline and of each partition, as the workflows tell it',
    examples: [['weir pipeline status --json', 'the same for programs']],
    settings: WHERE,
  })
    .option('--json', 'print the state as JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        const state = await control.state<PipelineState>(pipelineTarget(settings.topic));
        if (json) printJson(state);
        else printState(state);
      });
    });
}

function printState(state: PipelineState): void {
  printLine(`The pipeline of topic ${state.topic} is ${state.phase}. ${state.message}`);
  const rows = state.partitions.map(({ partition, phase, message }) => [String(partition), phase, message]);
  if (rows.length > 0) printLine(`\n${tableOf(['partition', 'phase', ''], rows)}`);
}
