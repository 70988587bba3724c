// The part of the table of settings that says how servers are trusted, and who this is to them. Variables only: a flag would be
// read by everybody who lists processes, and every process of a pipeline needs the same.
import { oneOf, orUnset, text } from './setting-values.ts';

const SASL_MECHANISMS = ['none', 'plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = Exclude<(typeof SASL_MECHANISMS)[number], 'none'>;
const SWITCH = ['off', 'on'] as const;

/** Files are paths of PEM files; null: not set. What can be secret is never shown, logged or given to a workflow. */
export type SecuritySettings = {
  readonly kafkaTls: (typeof SWITCH)[number];
  readonly kafkaCaFile: string | null;
  readonly kafkaSasl: (typeof SASL_MECHANISMS)[number];
  readonly kafkaUsername: string | null;
  readonly kafkaPassword: string | null;
  readonly kafkaPasswordFile: string | null;
  readonly temporalTls: (typeof SWITCH)[number];
  readonly temporalCaFile: string | null;
  readonly temporalCertFile: string | null;
  readonly temporalKeyFile: string | null;
  readonly temporalServerName: string | null;
  readonly temporalApiKey: string | null;
  readonly temporalApiKeyFile: string | null;
};

type Row<T> = {
  readonly env: string;
  readonly flag: null;
  readonly type: string;
  readonly unit: null;
  readonly default: string;
  readonly why: string;
  readonly secret?: true;
  readonly parse: (given: string) => T;
};

const common = { flag: null, unit: null } as const;
const optional = { ...common, default: '', parse: orUnset(text) } as const;
const file = { ...optional, type: 'file' } as const;

export const SECURITY_SETTINGS: { readonly [Name in keyof SecuritySettings]: Row<SecuritySettings[Name]> } = {
  kafkaTls: {
    ...common,
    env: 'WEIR_KAFKA_TLS',
    type: 'on|off',
    default: 'off',
    why: 'connections to Kafka are encrypted, and its certificate and host name are checked',
    parse: oneOf(SWITCH),
  },
  kafkaCaFile: {
    ...file,
    env: 'WEIR_KAFKA_CA_FILE',
    why: 'PEM file of the authorities that may have signed the certificate of Kafka; those of Node when not set',
  },
  kafkaSasl: {
    ...common,
    env: 'WEIR_KAFKA_SASL',
    type: 'mechanism',
    default: 'none',
    why: `how this proves to Kafka who it is: ${SASL_MECHANISMS.join(', ')}; plain sends the password itself, so use it with TLS`,
    parse: oneOf(SASL_MECHANISMS),
  },
  kafkaUsername: {
    ...optional,
    env: 'WEIR_KAFKA_USERNAME',
    type: 'name',
    why: 'user that Kafka knows, for WEIR_KAFKA_SASL',
  },
  kafkaPassword: {
    ...optional,
    env: 'WEIR_KAFKA_PASSWORD',
    type: 'secret',
    why: 'password of that user; never shown, and a file keeps it out of the environment',
    secret: true,
  },
  kafkaPasswordFile: {
    ...file,
    env: 'WEIR_KAFKA_PASSWORD_FILE',
    why: 'file that holds the password instead, such as a mounted secret; a line end is left out',
  },
  temporalTls: {
    ...common,
    env: 'WEIR_TEMPORAL_TLS',
    type: 'on|off',
    default: 'off',
    why: 'connections to Temporal are encrypted, and its certificate and host name are checked',
    parse: oneOf(SWITCH),
  },
  temporalCaFile: {
    ...file,
    env: 'WEIR_TEMPORAL_CA_FILE',
    why: 'PEM file of the authorities that may have signed the certificate of Temporal; the usual ones when not set',
  },
  temporalCertFile: {
    ...file,
    env: 'WEIR_TEMPORAL_CERT_FILE',
    why: 'PEM file of the certificate that this shows to Temporal (mutual TLS)',
  },
  temporalKeyFile: {
    ...file,
    env: 'WEIR_TEMPORAL_KEY_FILE',
    why: 'PEM file of the private key of that certificate; it is read, and never shown',
  },
  temporalServerName: {
    ...optional,
    env: 'WEIR_TEMPORAL_SERVER_NAME',
    type: 'host',
    why: 'name that the certificate of Temporal must have, where it is not the host of the address',
  },
  temporalApiKey: {
    ...optional,
    env: 'WEIR_TEMPORAL_API_KEY',
    type: 'secret',
    why: 'API key for Temporal (Temporal Cloud); never shown, and a file keeps it out of the environment',
    secret: true,
  },
  temporalApiKeyFile: {
    ...file,
    env: 'WEIR_TEMPORAL_API_KEY_FILE',
    why: 'file that holds the API key instead, such as a mounted secret; a line end is left out',
  },
};

/** What does not go together, one sentence each. `isOurs`: no address is given, so that `weir up` starts the server itself. */
export function securityProblems(
  given: SecuritySettings,
  { kafkaIsOurs, temporalIsOurs }: { kafkaIsOurs: boolean; temporalIsOurs: boolean },
): string[] {
  const { kafkaPassword, kafkaPasswordFile, temporalApiKey, temporalApiKeyFile } = given;
  const needsKafka = given.kafkaTls === 'on' || given.kafkaSasl !== 'none';
  const needsTemporal = given.temporalTls === 'on';
  const found: [boolean, string][] = [
    [
      needsKafka && kafkaIsOurs,
      'WEIR_KAFKA_BROKERS: it must be set where WEIR_KAFKA_TLS or WEIR_KAFKA_SASL is; the Kafka that weir starts itself has neither.',
    ],
    [
      given.kafkaCaFile !== null && given.kafkaTls === 'off',
      'WEIR_KAFKA_CA_FILE: it says nothing without WEIR_KAFKA_TLS=on.',
    ],
    [
      given.kafkaSasl !== 'none' && given.kafkaUsername === null,
      'WEIR_KAFKA_USERNAME: it must be set where WEIR_KAFKA_SASL is.',
    ],
    [
      given.kafkaSasl !== 'none' && kafkaPassword === null && kafkaPasswordFile === null,
      'WEIR_KAFKA_PASSWORD: it, or WEIR_KAFKA_PASSWORD_FILE, must be set where WEIR_KAFKA_SASL is.',
    ],
    [
      given.kafkaSasl === 'none' && (given.kafkaUsername ?? kafkaPassword ?? kafkaPasswordFile) !== null,
      'WEIR_KAFKA_SASL: it must name the mechanism where a user or password for Kafka is set.',
    ],
    [
      kafkaPassword !== null && kafkaPasswordFile !== null,
      'WEIR_KAFKA_PASSWORD_FILE: it and WEIR_KAFKA_PASSWORD are both set; unset one of them.',
    ],
    [
      needsTemporal && temporalIsOurs,
      'WEIR_TEMPORAL_ADDRESS: it must be set where WEIR_TEMPORAL_TLS is; the Temporal that weir starts itself has no TLS.',
    ],
    [
      !needsTemporal &&
        (given.temporalCaFile ?? given.temporalCertFile ?? given.temporalKeyFile ?? given.temporalServerName) !== null,
      'WEIR_TEMPORAL_TLS: it must be on where a certificate, key, authority or server name for Temporal is set.',
    ],
    [
      !needsTemporal && (temporalApiKey ?? temporalApiKeyFile) !== null,
      'WEIR_TEMPORAL_TLS: it must be on where an API key is set, since the key would go over the network readable.',
    ],
    [
      (given.temporalCertFile === null) !== (given.temporalKeyFile === null),
      'WEIR_TEMPORAL_CERT_FILE: it and WEIR_TEMPORAL_KEY_FILE belong together; set both or neither.',
    ],
    [
      temporalApiKey !== null && temporalApiKeyFile !== null,
      'WEIR_TEMPORAL_API_KEY_FILE: it and WEIR_TEMPORAL_API_KEY are both set; unset one of them.',
    ],
  ];
  return found.flatMap(([isSo, problem]) => (isSo ? [problem] : []));
}
