// What a process says about itself: one JSON line an occurrence, context first.
import { pino } from 'pino';
import type { DestinationStream, Logger, LoggerOptions } from 'pino';

export type Log = Logger;

/** A log to standard output, or to `to`. `name`: which process speaks; `level`: debug, info, warn, error or silent. */
export function openLog({ name, level, to }: { name: string; level: string; to?: DestinationStream }): Log {
  const options: LoggerOptions = {
    name,
    level,
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // Temporal's worker tells of errors under this name, and JSON alone would leave their sentences out.
    serializers: { error: pino.stdSerializers.err },
  };
  return to ? pino(options, to) : pino(options);
}
