// What a setting's text may say: one parser per kind of value. Each throws what is wrong and what belongs there.
import { formatDuration, parseDuration } from './duration.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Any text that is not blank. */
export function text(given: string): string {
  if (given.trim() === '') throw new Error('it is empty');
  return given.trim();
}

/** A Kafka topic name (Kafka's own rule). */
export function topicName(given: string): string {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(given) || given === '.' || given === '..') {
    throw new Error(`"${given}" is not a topic name; use letters, digits, ".", "_" and "-", at most 249`);
  }
  return given;
}

/** A PostgreSQL schema name that needs no quoting (the rule of postgres/schema-name.ts). */
export function schemaName(given: string): string {
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(given)) {
    throw new Error(`"${given}" is not a schema name; use lower-case letters, digits and "_", at most 40`);
  }
  return given;
}

/** The name of a snapshot: it becomes part of the name of a schema. */
export function snapshotName(given: string): string {
  if (!/^[a-z0-9_]{1,40}$/.test(given)) {
    throw new Error(`"${given}" is not a name of a snapshot; use lower-case letters, digits and "_", at most 40`);
  }
  return given;
}

/** A parser of whole numbers between two bounds, both included. */
export function amount(least: number, most: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (!/^\d+$/.test(given) || value < least || value > most) {
      throw new Error(`"${given}" is not a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** A parser of durations of whole minutes between two bounds, both included, to milliseconds. */
export function minutes(least: string, most: string): (given: string) => number {
  const parse = duration(least, most);
  return (given) => {
    const ms = parse(given);
    if (ms % 60_000 !== 0) throw new Error(`"${given}" is not whole minutes`);
    return ms;
  };
}

/** A parser of durations between two bounds, both included, to milliseconds. */
export function duration(least: string, most: string): (given: string) => number {
  return (given) => {
    const ms = parseDuration(given);
    if (ms < parseDuration(least) || ms > parseDuration(most)) {
      throw new Error(`${formatDuration(ms)} is out of range; it must be from ${least} to ${most}`);
    }
    return ms;
  };
}

/** Like `duration`, but "none" is null. */
export function durationOrNone(least: string, most: string): (given: string) => number | null {
  return orNone(duration(least, most));
}

/** `host:port`; port 0 to 65535. IPv6 hosts in brackets. */
export function hostAndPort(given: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/,@]+):(\d{1,5})$/.exec(given.trim());
  if (!match || Number(match[2]) > 65_535) {
    throw new Error(`"${given}" is not an address; write host:port, such as 127.0.0.1:9092`);
  }
  return given.trim();
}

/** One or more addresses with commas between them. */
export function brokerList(given: string): string[] {
  return given.split(',').map((part) => hostAndPort(part));
}

/** A postgres:// or postgresql:// connection string. The text of the error never repeats it: it may hold a password. */
export function postgresUrl(given: string): string {
  if (!/^postgres(ql)?:\/\/\S+$/.test(given.trim())) {
    throw new Error('it is not a PostgreSQL URL; write postgres://user:password@host:5432/database');
  }
  refuseSslMode(new URLSearchParams(/\?([^#]*)/.exec(given)?.[1] ?? ''));
  return given.trim();
}

/** One of these words. The text of the error repeats what was given. */
export function oneOf<const Word extends string>(words: readonly Word[]): (given: string) => Word {
  return (given) => {
    const found = words.find((word) => word === given.trim());
    if (found === undefined) throw new Error(`"${given}" is none of ${words.join(', ')}`);
    return found;
  };
}

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

/** What libpq calls sslmode, as far as it says for sure whether a connection is encrypted. */
function refuseSslMode(params: URLSearchParams): void {
  const mode = params.get('sslmode');
  if (mode !== null && !SSL_MODES.some((known) => known === mode)) {
    throw new Error(`sslmode=${mode} is not known here; write ${SSL_MODES.join(', ')}`);
  }
  const root = params.get('sslrootcert');
  if (mode === 'verify-ca' && (root === null || root === 'system')) {
    throw new Error('sslmode=verify-ca needs sslrootcert, the PEM file of the authority that signed the certificate');
  }
  if (mode === null && ['sslrootcert', 'sslcert', 'sslkey'].some((name) => params.has(name))) {
    throw new Error(`it has certificates and no sslmode; add sslmode=verify-full, or one of ${SSL_MODES.join(', ')}`);
  }
}

/** One of LOG_LEVELS. */
export function logLevel(given: string): LogLevel {
  const found = LOG_LEVELS.find((level) => level === given.trim());
  if (!found) throw new Error(`"${given}" is not a level; use ${LOG_LEVELS.join(', ')}`);
  return found;
}

/** Wraps a parser for a setting that may be left out on purpose: "none" is null. */
export function orNone<T>(parse: (given: string) => T): (given: string) => T | null {
  return (given) => (given.trim() === 'none' ? null : parse(given));
}

/** Wraps a parser for a setting that may be left unset: empty text is null. */
export function orUnset<T>(parse: (given: string) => T): (given: string) => T | null {
  return (given) => (given.trim() === '' ? null : parse(given));
}
