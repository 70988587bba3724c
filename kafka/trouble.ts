// Trouble with Kafka that passes by itself: what kind it is, so that the caller knows what to renew before trying again.
import { messageOf } from '../pipeline/ensure.ts';
import { KafkaRefusedError, KafkaUnreachableError } from './failures.ts';
import { protocolError } from './kafkajs-internals.ts';

/**
 * `connection`: the sockets can't be trusted any more, cut the link. `leader`: the partition is led elsewhere or by nobody
 * yet, look it up again. `null`: not passing, throw it. `kind`: Kafka's name of it, or what it is where Kafka has none, for counting.
 */
export type Trouble = { readonly renew: 'connection' | 'leader'; readonly kind: string; readonly reason: string };

const CONNECTION_ERRORS = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSLockTimeout',
]);

/** The error codes of Kafka that pass although kafkajs calls them final: an unexpected error, a broker that left. */
const PASSING_CODES = new Set([-1, 8]);

/** Thrown for a passing error code of Kafka, so that one place decides what to renew. */
export class PassingError extends Error {
  override readonly name = 'PassingError';
  readonly type: string;

  constructor(type: string, sentence: string) {
    super(sentence);
    this.type = type;
  }
}

/** Does this error code of Kafka say that a batch is too large for it: the message, or all of them together? */
export function isTooLarge(code: number): boolean {
  return code === 10 || code === 18;
}

/** Is this error code of Kafka one that passes? */
export function passes(code: number): boolean {
  return PASSING_CODES.has(code) || (protocolError(code)?.retriable ?? false);
}

/**
 * Throws what `code` means: PassingError when it passes, else KafkaRefusedError with `advice`; 0 throws nothing. `sentence`
 * says what Kafka did not do, without a full stop.
 */
export function throwProtocolError(
  code: number,
  { sentence, advice = 'check the topic and the rights of this client' }: { sentence: string; advice?: string },
): void {
  const error = protocolError(code);
  if (error === null) return;
  const whole = `${sentence} (${error.type}): ${error.message}`;
  if (passes(code)) throw new PassingError(error.type, `${whole}.`);
  throw new KafkaRefusedError(error.type, `${whole}; ${advice}.`, { cause: error });
}

/** Whether the answer did not come whole within the time of a request. */
export function hasTimedOut(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'KafkaJSRequestTimeoutError';
}

/** Which trouble `thrown` is, or null when trying again doesn't help. */
export function troubleOf(thrown: unknown): Trouble | null {
  if (thrown instanceof PassingError) return { renew: 'leader', kind: thrown.type, reason: thrown.message };
  if (thrown instanceof KafkaUnreachableError)
    return { renew: 'connection', kind: 'UNREACHABLE', reason: thrown.message };
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (CONNECTION_ERRORS.has(error.name)) {
      const kind = hasTimedOut(error) ? 'REQUEST_TIMED_OUT' : 'CONNECTION_LOST';
      return { renew: 'connection', kind, reason: `The connection to Kafka broke (${messageOf(error)}).` };
    }
    if (error.name === 'KafkaJSProtocolError' && 'code' in error && passes(Number(error.code))) {
      const kind = protocolError(Number(error.code))?.type ?? String(error.code);
      return { renew: 'leader', kind, reason: `Kafka answers: ${error.message}.` };
    }
  }
  return null;
}
