// What the live view shows: the pipeline in a few lines, the newest rows, where to look, what to type next.
import { prometheusAddress } from '../local/prometheus-server.ts';
import { formatDuration } from '../pipeline/duration.ts';
import type { Running } from './bring-up.ts';
import { styled, tableOf } from './output.ts';
import { metricsAddress, workerName } from './process-record.ts';
import type { StatusReport } from './status-report.ts';
import { summaryLines } from './status-text.ts';

type Shown = {
  readonly running: Running;
  readonly report: StatusReport;
  /** Rows of the newest window of the first result table. */
  readonly rows: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly startedAtMs: number;
  readonly notices: readonly string[];
};

/** The whole view as text. */
export function liveView({ running, report, rows, startedAtMs, notices }: Shown): string {
  const { settings } = running;
  const upMs = Math.floor((Date.now() - startedAtMs) / 1000) * 1000;
  const lines = [
    `${styled('bold', 'weir up')} for ${formatDuration(upMs)}, --lateness ${formatDuration(settings.latenessMs)}, schema ${settings.schema}`,
    '',
    ...summaryLines(report),
    '',
    ...newestLines(rows, settings.latenessMs),
    '',
    ...addressLines(running),
  ];
  if (notices.length > 0) lines.push('', ...notices.map((each) => styled('yellow', each)));
  return lines.join('\n');
}

/** Where to look and what to type next. */
export function addressLines({ settings, addresses }: Pick<Running, 'settings' | 'addresses'>): string[] {
  const ui = addresses.temporal.ui;
  const workers = Array.from({ length: settings.workers }, (_, index) =>
    metricsAddress(settings.home, workerName(index + 1)),
  );
  const metrics = workers.filter((address) => address !== null).map((address) => `http://${address}/metrics`);
  const prometheus = prometheusAddress(settings.home);
  const filter = `?query=${encodeURIComponent("ExecutionStatus='Running'")}`;
  return [
    `  Web UI      ${ui === null ? 'of your own Temporal' : `${ui}/namespaces/${settings.temporalNamespace}/workflows${filter}`}`,
    `  metrics     ${metrics.length === 0 ? 'with the first worker' : metrics.join('  ')}`,
    ...(prometheus === null ? [] : [`  Prometheus  ${prometheus}  alerts ${prometheus}/alerts`]),
    `  next        npx weir status --watch | npx weir windows --aggregate purchase_metrics | npx weir verify`,
    `  end         Ctrl-C, or npx weir down from elsewhere; nothing is lost`,
  ];
}

function newestLines({ columns, rows }: Shown['rows'], latenessMs: number): string[] {
  if (rows.length === 0) {
    return [
      `  The first window closes when its minute is over and ${formatDuration(latenessMs)} of lateness have passed.`,
    ];
  }
  const shown = columns.map((column, at) => ({ column, at })).filter(({ column }) => column !== 'revision');
  const short = (text: string): string => text.replace(/:00\+00$/, 'Z');
  return tableOf(
    shown.map(({ column }) => column),
    rows.map((row) => shown.map(({ at }) => short(row[at] ?? ''))),
  )
    .split('\n')
    .map((line) => `  ${line}`);
}
