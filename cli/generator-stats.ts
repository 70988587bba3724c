// `weir generator stats`: what the messages of a file are, as tables with small bars.
import type { Command } from 'commander';

import { ExportCensus } from '../generator/export-report.ts';
import type { ExportReport } from '../generator/export-report.ts';
import { MAX_VALUE_BYTES } from '../pipeline/why-rejected.ts';
import { createCommand } from './command.ts';
import { LineCutter, openFile } from './file-lines.ts';
import { exportLines } from './export-text.ts';
import { grouped, printJson, printLine } from './output.ts';
import { openProgressLine, progressBar } from './progress-line.ts';

/** The command. */
export function generatorStatsCommand(): Command {
  return createCommand({
    name: 'stats',
    summary: 'what the messages of a file are: types, funnel, sessions, disorder, duplicates, what is malformed',
    more: [
      'Any file with a message a line, of an export or of another producer. A line that is no event is counted with its reason.',
      'Duplicates are found within the last million messages, users are counted up to a million, and 50,000 sessions may go on',
      'at once: so the memory it takes does not grow with the file.',
    ].join('\n'),
    examples: [
      ['weir generator stats events.jsonl', 'the file of an export'],
      ['weir generator export --count 100000 --malformed 0.01 --out - | weir generator stats -', 'without a file'],
    ],
  })
    .argument('<file>', 'the file; - for standard input')
    .option('--json', 'print JSON')
    .action(async (path: string, { json }: { readonly json?: boolean }) => {
      const report = await readReport(path);
      if (json) printJson(jsonOf(path, report));
      else for (const line of exportLines(report)) printLine(line);
    });
}

const SHOW_EVERY_MS = 200;

async function readReport(path: string): Promise<ExportReport> {
  const { totalBytes, chunks } = await openFile(path);
  const census = new ExportCensus();
  const cutter = new LineCutter(MAX_VALUE_BYTES);
  const add = (line: Buffer): void => census.add(line);
  const progress = openProgressLine();
  let [readBytes, shownAtMs] = [0, 0];
  try {
    for await (const chunk of chunks) {
      cutter.push(chunk, add);
      readBytes += chunk.length;
      if (performance.now() - shownAtMs < SHOW_EVERY_MS) continue;
      shownAtMs = performance.now();
      progress.show(
        totalBytes === null ? `Reading, ${grouped(readBytes)} bytes` : progressBar('Reading', readBytes, totalBytes),
      );
    }
  } finally {
    progress.clear();
  }
  cutter.end(add);
  return census.close();
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function jsonOf(file: string, { firstMs, lastMs, ...report }: ExportReport) {
  return { file, first: iso(firstMs), last: iso(lastMs), ...report };
}
