// `weir generator status`: what every running generator does, once, as JSON, or again every second.
import type { Command } from 'commander';
import { createLogUpdate } from 'log-update';

import { formatDuration } from '../pipeline/duration.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import { listenForInterrupts, waitMs } from '../workers/interrupts.ts';
import { createCommand, settingsOf } from './command.ts';
import { CliFailure } from './failure.ts';
import { grouped, printJson, printLine, tableOf } from './output.ts';
import { generatorNamed, generatorReport, runningGenerators } from './running-generators.ts';
import type { GeneratorReport } from './running-generators.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

type Flags = { readonly name?: string; readonly json?: boolean; readonly watch?: boolean };

/** The command. */
export function generatorStatusCommand(settings: readonly SettingName[]): Command {
  return createCommand({
    name: 'status',
    summary: 'what every running generator does: rate wanted and reached, how late it is, bytes, errors',
    more: [
      'target: events a second that the schedule asks for just now; actual: those that Kafka acknowledged, over five seconds;',
      'behind: how late the next one is. A generator never slows down because Kafka is slow: it falls behind, and catches up.',
    ].join('\n'),
    examples: [
      ['weir generator status --watch', 'again every second, until Ctrl-C'],
      ['weir generator status --name history --json', 'one of them, for programs'],
    ],
    settings,
  })
    .option('--name <name>', 'only this one, also when it has ended (default: all that run, whatever their topic)')
    .option('--json', 'print JSON')
    .option('--watch', 'print again every second')
    .action(async ({ name, json, watch }: Flags, command: Command) => {
      await withControl(settingsOf(command).settings, async (control) => {
        const read = async (): Promise<GeneratorReport[]> => await readReports(control, name);
        if (watch) await watchReports(read, Boolean(json));
        else print(await read(), json);
      });
    });
}

async function readReports(control: Control, name: string | undefined): Promise<GeneratorReport[]> {
  if (name === undefined) {
    const ids = await runningGenerators(control);
    const reports = await Promise.all(ids.map(async (id) => await generatorReport(control, id)));
    return reports.filter((report) => report !== null);
  }
  // Who asks for one by its name also wants to know how it ended.
  const { id } = await generatorNamed(control, name);
  const report = await generatorReport(control, id, { orDid: true });
  if (report === null) {
    throw new CliFailure(`There is no generator ${name}; \`weir generator start\` starts one.`);
  }
  return [report];
}

async function watchReports(read: () => Promise<GeneratorReport[]>, json: boolean): Promise<void> {
  const interrupts = listenForInterrupts();
  const draw = process.stdout.isTTY && !json ? createLogUpdate(process.stdout) : null;
  while (!interrupts.signal.aborted) {
    const reports = await read();
    if (json) process.stdout.write(`${JSON.stringify({ generators: reports })}\n`);
    else if (draw) draw(reportText(reports));
    else printLine(`${reportText(reports)}\n`);
    await waitMs(1_000, interrupts.signal);
  }
  draw?.done();
  interrupts.forget();
}

function print(reports: readonly GeneratorReport[], json: boolean | undefined): void {
  if (json) printJson({ generators: reports });
  else printLine(reportText(reports));
}

const HEADINGS = ['generator', 'topic', 'phase', 'profile', 'seed', 'target/s', 'actual/s', 'behind', 'KB/s', 'sent'];

/** A table with one line each, and below it what needs a sentence. */
function reportText(reports: readonly GeneratorReport[]): string {
  if (reports.length === 0) return 'No generator runs; `weir generator start` starts one.';
  const rows = reports.map((report) => [
    report.name,
    report.topic,
    report.phase,
    report.profile,
    String(report.seed ?? '-'),
    rateText(report.target),
    rateText(report.actual),
    report.behindMs === null ? '-' : behindText(report.behindMs),
    grouped(report.bytesPerSecond / 1000),
    `${report.acknowledged === null ? '-' : grouped(report.acknowledged)}${report.count === null ? '' : ` of ${grouped(report.count)}`}`,
  ]);
  const sentences = reports.flatMap((report) => [
    ...(report.until === null ? [] : [`${report.name} goes on until ${report.until.slice(0, 19)}Z.`]),
    ...(report.trouble === null ? [] : [`${report.name} waits: ${report.trouble}`]),
    ...errorSentences(report),
    ...(report.phase === 'running' ? [] : [`${report.name}: ${report.message}`]),
  ]);
  return [tableOf(HEADINGS, rows), ...(sentences.length > 0 ? ['', ...sentences] : [])].join('\n');
}

function errorSentences({ name, errors }: GeneratorReport): string[] {
  const kinds = Object.entries(errors).map(([kind, times]) => `${kind} ${grouped(times)}`);
  return kinds.length === 0 ? [] : [`${name}, errors of this lease: ${kinds.join(', ')}; nothing of it is lost.`];
}

/** Slow ones need their decimals. */
const rateText = (perSecond: number): string =>
  perSecond >= 10 ? grouped(perSecond) : String(Math.round(perSecond * 100) / 100);

const behindText = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)}ms` : formatDuration(Math.round(ms / 1_000) * 1_000);
