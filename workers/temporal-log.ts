// Temporal's own messages in the words of our log: one line an occurrence, with its context.
import { Runtime } from '@temporalio/worker';
import type { LogLevel, LogMetadata, Logger } from '@temporalio/worker';

import type { Log } from '../observability/log.ts';

/**
 * Prepares Temporal's runtime for this process; to be called once, before anything connects. Signals are left to the caller.
 * `telemetryAddress` (`host:port`): where Temporal's own metrics are served; null for nowhere.
 */
export function installRuntime({ log, telemetryAddress }: { log: Log; telemetryAddress: string | null }): void {
  Runtime.install({
    logger: temporalLogger(log),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: 'temporalio_sdk_core=WARN,temporalio_client=WARN,temporalio_sdk=WARN' },
      ...(telemetryAddress === null ? {} : { metrics: { prometheus: { bindAddress: telemetryAddress } } }),
    },
  });
}

/** A logger for parts of Temporal that speaks through `log`. */
export function temporalLogger(log: Log): Logger {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, meta?: LogMetadata): void =>
      log[level](readable(meta), message);
  const logger = { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  return { ...logger, log: (level: LogLevel, message, meta) => logger[levels[level]](message, meta) };
}

/** JSON has no bigint, and Temporal's context holds some. */
function readable(meta: LogMetadata | undefined): object {
  return Object.fromEntries(
    Object.entries(meta ?? {}).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  );
}
