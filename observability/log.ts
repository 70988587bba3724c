// What a process says about itself: one JSON line an occurrence, context first.
import { pino } from 'pino';
import type { Logger } from 'pino';

export type Log = Logger;

/** A log to standard output. `name`: which process speaks; `level`: debug, info, warn, error or silent. */
export function openLog({ name, level }: { name: string; level: string }): Log {
  return pino({ name, level, base: { name, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime });
}
