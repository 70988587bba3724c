// How a command fails: one sentence that says what happened and what to do next, and an exit code.
import { styleText } from 'node:util';

import { messageOf } from '../pipeline/ensure.ts';
import { SelectionError } from '../pipeline/letter-selection.ts';
import { SettingsError } from '../pipeline/settings.ts';
import { environment } from './environment.ts';

/** 1: a check found a difference. 2: usage or environment: the command could not do its work. */
export type FailureCode = 1 | 2;

/** A failure a person can do something about; `message` is the whole sentence, shown without a stack trace. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exitCode: FailureCode;

  constructor(sentence: string, { exitCode = 2, cause }: { exitCode?: FailureCode; cause?: unknown } = {}) {
    super(sentence, { cause });
    this.exitCode = exitCode;
  }
}

type Explained = { readonly lines: readonly string[]; readonly exitCode: FailureCode };

/** Errors of other folders whose message already says what happened and what to do next. */
const SPOKEN = new Set([
  'StackError',
  'TopicMissingError',
  'KafkaUnreachableError',
  'KafkaRefusedError',
  'LostRangeError',
  'UnreadableRecordsError',
  'SnapshotError',
  'RestoredSchemaError',
]);

/** Turns anything thrown into sentences. Only what nobody foresaw points to WEIR_LOG_LEVEL=debug for more. */
export function explain(thrown: unknown): Explained {
  if (thrown instanceof SettingsError || thrown instanceof SelectionError)
    return { lines: thrown.problems, exitCode: 2 };
  if (thrown instanceof CliFailure) return { lines: [thrown.message], exitCode: thrown.exitCode };
  if (thrown instanceof Error && SPOKEN.has(thrown.name)) return { lines: thrown.message.split('\n'), exitCode: 2 };
  return { lines: [postgresSentence(thrown) ?? kafkaSentence(thrown) ?? unforeseen(thrown)], exitCode: 2 };
}

/** Writes the sentences to standard error and sets the exit code. */
export function reportFailure(thrown: unknown): void {
  const { lines, exitCode } = explain(thrown);
  const mark = styleText('red', 'weir:', { stream: process.stderr });
  for (const line of lines) process.stderr.write(`${mark} ${line}\n`);
  if (environment().WEIR_LOG_LEVEL === 'debug' && thrown instanceof Error) {
    process.stderr.write(`${withCauses(thrown)}\n`);
  }
  process.exitCode = exitCode;
}

function withCauses(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by ${withCauses(error.cause)}` : stack;
}

/** The first error with a `code` among the error, its causes and (several addresses tried) the errors it gathers. */
function codedError(thrown: unknown): (Error & { code: string }) | null {
  if (!(thrown instanceof Error)) return null;
  if ('code' in thrown && typeof thrown.code === 'string') return Object.assign(thrown, { code: thrown.code });
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return codedError(thrown.errors[0]);
  return codedError(thrown.cause);
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'EPIPE',
]);

function postgresSentence(thrown: unknown): string | null {
  const error = codedError(thrown);
  if (error === null) return null;
  const name = 'correct WEIR_POSTGRES_URL';
  switch (error.code) {
    case '28P01':
    case '28000':
      return `PostgreSQL refuses the user or password (${error.message}); ${name}.`;
    case '3D000':
      return `PostgreSQL does not have this database (${error.message}); create it or ${name}.`;
    case '42501':
      return `PostgreSQL does not permit this (${error.message}): set WEIR_POSTGRES_URL to a login of weir_worker, which runs, repairs and verifies, or of weir_owner, which also migrates and takes snapshots.`;
    case '3F000':
    case '42P01':
      return `The tables are not there (${error.message}); \`weir migrate\` makes them, or name their schema by WEIR_SCHEMA.`;
    case '42703':
    case '42883':
      return `The tables are of another version of Weir (${error.message}); \`weir migrate\` brings them up to this one.`;
    case '57P03':
    case '57P01':
      return `PostgreSQL is starting or stopping (${error.message}); try again in a moment.`;
    case '53300':
      return 'PostgreSQL has no free connection; end other clients or raise max_connections.';
    default:
      return UNREACHABLE.has(error.code)
        ? `PostgreSQL does not answer (${messageOf(error)}); start it with \`weir up\` or \`weir stack start\`, or ${name}.`
        : null;
  }
}

function kafkaSentence(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !thrown.name.startsWith('KafkaJS')) return null;
  return `Kafka does not do this (${thrown.message}); see that it runs (\`weir stack status\`) or correct WEIR_KAFKA_BROKERS.`;
}

function unforeseen(thrown: unknown): string {
  const sentence = messageOf(thrown).split('\n')[0] ?? '';
  return `${sentence.replace(/\.?$/, '.')} WEIR_LOG_LEVEL=debug shows where it happened.`;
}
