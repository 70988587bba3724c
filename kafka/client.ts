// A client of Kafka as kafkajs offers it, for administration: quiet, patient at connecting, never making topics by accident.
import { Kafka, logLevel } from 'kafkajs';

import { parseAddress } from './broker-link.ts';
// Also stops kafkajs's idle timers, once for the process.
import { silentLog } from './kafkajs-internals.ts';
import { clientSecurity } from './security.ts';

export type KafkaClient = { readonly brokers: readonly string[]; readonly kafka: Kafka };

const CONNECTION_TIMEOUT_MS = 10_000;
const RETRY = { retries: 5, initialRetryTime: 100, maxRetryTime: 1_000 } as const;

/** Holds the addresses and a kafkajs client; no I/O. Throws a sentence when an address isn't host:port. */
export function connectKafka(options: {
  readonly brokers: readonly string[];
  readonly clientId?: string;
}): KafkaClient {
  for (const broker of options.brokers) parseAddress(broker);
  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId ?? 'weir',
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    logLevel: logLevel.NOTHING,
    logCreator: silentLog,
    retry: RETRY,
    ...clientSecurity(),
  });
  return { brokers: options.brokers, kafka };
}
