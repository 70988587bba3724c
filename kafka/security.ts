// How this process trusts Kafka, and who it is to it: said once, before the first connection, and taken by every one: leases,
// writers, observers, the probe, administration. A process speaks with one Kafka, whose secrets are so nobody's argument.
import type { SecureContextOptions } from 'node:tls';

import type { SASLOptions } from 'kafkajs';

import type { SaslMechanism } from '../pipeline/security-settings.ts';

export type KafkaSasl = { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string };

/** `tls` null: readable on the network. `sasl` null: anonymous. */
export type KafkaSecurity = { readonly tls: SecureContextOptions | null; readonly sasl: KafkaSasl | null };

let ofThisProcess: KafkaSecurity = { tls: null, sasl: null };

/** Says how connections that are opened from now on are secured. */
export function secureKafka(security: KafkaSecurity): void {
  ofThisProcess = security;
}

/** What was said last. */
export function kafkaSecurity(): KafkaSecurity {
  return ofThisProcess;
}

/** The same as kafkajs's own client takes it. */
export function clientSecurity(): { ssl: SecureContextOptions | false; sasl?: SASLOptions } {
  const { tls, sasl } = ofThisProcess;
  return { ssl: tls ?? false, ...(sasl && { sasl: { ...sasl } }) };
}

/** What ends a trouble of trust, told by the words of Node, OpenSSL and Kafka; null for any other. Without a full stop. */
export function securityRemedy(said: string): string | null {
  const { tls, sasl } = ofThisProcess;
  if (/certificate|altnames|self-signed|issuer/i.test(said)) {
    return 'set WEIR_KAFKA_CA_FILE to the authority that signed its certificate, and name it in WEIR_KAFKA_BROKERS as the certificate does';
  }
  if (/SASL|authentication/i.test(said)) {
    return 'correct WEIR_KAFKA_SASL, WEIR_KAFKA_USERNAME and the password to what Kafka knows';
  }
  if (tls && /wrong version number|packet length|EPROTO|socket disconnected/i.test(said)) {
    return 'its listener does not speak TLS: set WEIR_KAFKA_BROKERS to one that does, or WEIR_KAFKA_TLS to off';
  }
  // A listener that wants TLS or a user hangs up without a word.
  if ((!tls || !sasl) && /closed connection|hang up|ECONNRESET/i.test(said)) {
    return 'where its listener wants TLS or a user, set WEIR_KAFKA_TLS and WEIR_KAFKA_SASL; else look into its log';
  }
  return null;
}
