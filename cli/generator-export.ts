// `weir generator export`: the messages of a generator as lines of a file, the very bytes that Kafka would get.
import { setImmediate as turn } from 'node:timers/promises';

import type { Command } from 'commander';

import { listenForInterrupts } from '../workers/interrupts.ts';
import { createCommand } from './command.ts';
import { CliFailure } from './failure.ts';
import { flawsOf } from './flaws.ts';
import { PROFILES_EXPLAINED, paceSentence } from './generator-flags.ts';
import { withOfflineFlags } from './offline-flags.ts';
import type { OfflineFlags } from './offline-flags.ts';
import type { OfflineRun } from './offline-run.ts';
import { grouped, plural, printJson, printLine, printProgress } from './output.ts';
import { openProgressLine, progressBar } from './progress-line.ts';
import type { ProgressLine } from './progress-line.ts';
import { openWholeFile, standardOutput } from './whole-file.ts';
import type { Sink } from './whole-file.ts';

type Flags = OfflineFlags & { readonly out: string; readonly force?: boolean; readonly json?: boolean };

/** The command. */
export function generatorExportCommand(): Command {
  const command = createCommand({
    name: 'export',
    summary: 'write the messages of a generator to a file, one a line; needs no server',
    more: [
      'The lines are what Kafka would get from `weir generator start` with the same flags, byte by byte and in that order: JSON,',
      'unless --malformed asks for what is none. The file appears under its name when it is whole, and not before.',
      PROFILES_EXPLAINED,
    ].join('\n'),
    examples: [
      [
        'weir generator export --count 100000 --seed 7 --start-time 2026-01-01T00:00:00Z --out events.jsonl',
        'always the same file',
      ],
      [
        'weir generator export --for 1d --profile daily --rate 20 --out - | gzip > day.jsonl.gz',
        'a day, to standard output',
      ],
    ],
  }).requiredOption('--out <file>', 'where to write; - for standard output');
  return withOfflineFlags(command)
    .option('--force', 'replace a file that is there already')
    .option('--json', 'print what was written as JSON')
    .action(async (flags: Flags) => {
      // Loaded here: the names of a whole shop, which no other command needs, take longer than all the rest.
      const { offlineRun } = await import('./offline-run.ts');
      const run = offlineRun(flags);
      if (run.endIndex === Infinity) {
        throw new CliFailure('Say where the export ends: --count 100000 or --for 1h; else it would go on for ever.');
      }
      if (flags.json && flags.out === '-') {
        throw new CliFailure('--json and --out - both want standard output; leave one of them out.');
      }
      await exportRun(run, flags);
    });
}

/** How a shell counts a Ctrl-C. */
const INTERRUPTED = 130;

async function exportRun(run: OfflineRun, { out, force, json }: Flags): Promise<void> {
  const interrupts = listenForInterrupts();
  const sink = out === '-' ? standardOutput() : await openWholeFile(out, { replace: force ?? false });
  const startedMs = performance.now();
  try {
    const written = await writeAll(run, sink, interrupts.signal);
    if (written.messages < run.endIndex) {
      await sink.discard();
      const left = out === '-' ? '' : `; ${out} is not written`;
      printProgress(`Interrupted after ${grouped(written.messages)} of ${plural(run.endIndex, 'message')}${left}.`);
      process.exitCode = INTERRUPTED;
      return;
    }
    await sink.finish();
    report(run, { ...written, out, seconds: (performance.now() - startedMs) / 1_000, json: json ?? false });
  } catch (thrown) {
    await sink.discard();
    throw thrown;
  } finally {
    interrupts.forget();
  }
}

const SILENT: ProgressLine = { show: () => {}, clear: () => {} };
const AT_ONCE = 2_000;
const SHOW_EVERY_MS = 200;
const LINE_END = Buffer.from('\n');

type Written = { readonly messages: number; readonly bytes: number };

async function writeAll(run: OfflineRun, sink: Sink, signal: AbortSignal): Promise<Written> {
  // On a terminal that shows the messages themselves a line between them would only disturb.
  const progress = sink.isSeen ? SILENT : openProgressLine();
  let [messages, bytes, shownAtMs] = [0, 0, 0];
  try {
    while (messages < run.endIndex && !signal.aborted) {
      const made = run.messages(messages, messages + AT_ONCE);
      const lines = Buffer.concat(made.flatMap(({ value }) => [value, LINE_END]));
      await sink.write(lines);
      messages += made.length;
      bytes += lines.length;
      if (performance.now() - shownAtMs > SHOW_EVERY_MS) {
        shownAtMs = performance.now();
        progress.show(progressBar('Writing', messages, run.endIndex));
      }
      // A signal is heard only between two turns of the event loop.
      await turn();
    }
    return { messages, bytes };
  } finally {
    progress.clear();
  }
}

type Outcome = Written & { readonly out: string; readonly seconds: number; readonly json: boolean };

function report({ spec, startMs }: OfflineRun, { messages, bytes, out, seconds, json }: Outcome): void {
  const startTime = new Date(startMs).toISOString();
  if (json) {
    printJson({ file: out, messages, bytes, seed: spec.seed, startTime, seconds: Math.round(seconds * 1000) / 1000 });
    return;
  }
  const told = `${plural(messages, 'message')}, ${(bytes / 1e6).toFixed(1)} MB, in ${seconds.toFixed(1)} s: ${paceSentence(spec)}, seed ${spec.seed}, from ${startTime}; ${flawsOf(spec)}.`;
  // What standard output holds is the messages and nothing else.
  if (out === '-') printProgress(told);
  else printLine(`${out}: ${told}`);
}
