// `weir worker`: one worker process; any number of them, on any number of machines, share the work.
import type { Command } from 'commander';

import { addressesOf } from './addresses.ts';
import { createCommand, settingsOf } from './command.ts';
import { recordMetricsAddress, temporalOf } from './process-record.ts';

/** The command. */
export function workerCommand(): Command {
  return createCommand({
    name: 'worker',
    summary: 'run one worker process until it is asked to end; it logs to standard output',
    more: 'It keeps no state: start as many as the work needs, end any at any time. SIGTERM or Ctrl-C commits the batch in hand first. Beside /metrics it answers /healthz (the process lives; 503: restart it) and /readyz (its servers answer and it takes work; 503 with the reasons otherwise).',
    examples: [
      [
        'WEIR_TEMPORAL_ADDRESS=temporal:7233 weir worker',
        'a worker on another machine (with the other addresses set too)',
      ],
    ],
    settings: [
      'partitions',
      'home',
      'kafkaBrokers',
      'postgresUrl',
      'temporalAddress',
      'temporalNamespace',
      'metricsAddress',
      'temporalMetricsAddress',
      'logLevel',
    ],
  })
    .option('--name <name>', 'what it is called in logs and files', `worker-of-${process.pid}`)
    .action(async ({ name }: { name: string }, command: Command) => {
      const { settings } = settingsOf(command);
      const addresses = addressesOf(settings);
      // Loaded here, because Temporal's worker takes a second to load and no other command needs it.
      const { runWorkerProcess } = await import('../workers/main.ts');
      await runWorkerProcess({
        name,
        addresses,
        settings,
        telemetryAddress: settings.temporalMetricsAddress,
        onMetrics: (address) => recordMetricsAddress(settings.home, name, address),
        onTelemetry: (address) => recordMetricsAddress(settings.home, temporalOf(name), address),
      });
      // Temporal's runtime may hold the process although everything has ended.
      process.exit(0);
    });
}
