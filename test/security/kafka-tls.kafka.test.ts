// A Kafka with TLS, all three SASL mechanisms on one listener and an authority that lives as long as the test: who comes in, and what the others are told.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { KafkaPing } from '../../kafka/ping.ts';
import { secureKafka } from '../../kafka/security.ts';
import type { KafkaSasl, KafkaSecurity } from '../../kafka/security.ts';
import { ensureTopic, openTopicObserver, partitionOffsets } from '../../kafka/topics.ts';
import { checkKafka } from '../../local/kafka-health.ts';
import { startOwnCluster } from '../kafka/own-cluster.ts';
import type { OwnCluster } from '../kafka/own-cluster.ts';
import { hasOpenssl, keystore, makeAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';

const USER = { mechanism: 'scram-sha-512', username: 'weir', password: `secret-${randomUUID()}` } as const;
const WRONG_PASSWORD = `wrong-${randomUUID()}`;
const WHO = /WEIR_KAFKA_SASL, WEIR_KAFKA_USERNAME and the password/;
/** Who comes, how, and what the refusal has to name. */
type Refusal = [string, () => KafkaSecurity, RegExp];

/** A user for each mechanism, so that who comes in by one is none that another one knows. */
const USERS = [
  USER,
  { mechanism: 'scram-sha-256', username: 'weir-256', password: `secret-${randomUUID()}` },
  { mechanism: 'plain', username: 'weir-plain', password: `secret-${randomUUID()}` },
] as const;
const [, SCRAM_256, PLAIN] = USERS;

describe.skipIf(!hasOpenssl())('a Kafka that wants TLS and a user (openssl must be installed)', () => {
  let authority: Authority;
  let stranger: Authority;
  let cluster: OwnCluster;
  let right: KafkaSecurity;

  beforeAll(async () => {
    authority = makeAuthority();
    stranger = makeAuthority();
    right = { tls: { ca: readFileSync(authority.ca, 'utf8') }, sasl: USER };
    secureKafka(right);
    const login = 'org.apache.kafka.common.security';
    const scramOf = ({ username, password }: KafkaSasl): string =>
      `${login}.scram.ScramLoginModule required username="${username}" password="${password}";`;
    cluster = await startOwnCluster(
      1,
      {
        'listener.security.protocol.map': 'PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT',
        'sasl.enabled.mechanisms': 'SCRAM-SHA-512,SCRAM-SHA-256,PLAIN',
        'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
        'listener.name.plaintext.scram-sha-512.sasl.jaas.config': scramOf(USER),
        'listener.name.plaintext.scram-sha-256.sasl.jaas.config': scramOf(SCRAM_256),
        'listener.name.plaintext.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${PLAIN.username}="${PLAIN.password}";`,
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': keystore(authority.sign('kafka', ['IP:127.0.0.1'])),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': authority.ca,
      },
      [USER, SCRAM_256].map(
        ({ mechanism, username, password }) => `${mechanism.toUpperCase()}=[name=${username},password=${password}]`,
      ),
    );
  }, 300_000);

  afterEach(() => secureKafka(right));

  afterAll(async () => {
    await cluster?.remove();
    authority.remove();
    stranger.remove();
  }, 120_000);

  it.each(USERS)('serves administration, writer, reader, observer, probe and doctor by $mechanism', async (sasl) => {
    secureKafka({ ...right, sasl });
    const place = { brokers: cluster.addresses, topic: `test-${randomUUID()}` };
    await ensureTopic({ ...place, partitions: 1 });
    const writer = await openEventWriter(place);
    await writer.write([{ key: 'k', value: Buffer.from('told in secret'), timestampMs: Date.now() }]);
    await writer.close();
    const reader = await openPartitionReader({ ...place, partition: 0, fromOffset: 0 });
    const { messages } = await reader.next();
    await reader.close();
    expect(messages.map(({ value }) => value?.toString())).toEqual(['told in secret']);
    expect(await partitionOffsets(place)).toMatchObject([{ endOffset: 1 }]);
    const observer = await openTopicObserver(place);
    await observer.close();
    const ping = new KafkaPing(place.brokers);
    await ping.ask();
    ping.cut('the test is over');
    const admin = connectKafka(place).kafka.admin();
    await admin.connect();
    expect(await admin.listTopics()).toContain(place.topic);
    await admin.disconnect();
    expect(await checkKafka(place.brokers)).toEqual({ brokers: 1 });
  });

  const refusalOf = async (security: KafkaSecurity, brokers: readonly string[]): Promise<string[]> => {
    secureKafka(security);
    const place = { brokers, topic: 'any' };
    const said = async (work: Promise<unknown>): Promise<string> =>
      await work.then(
        () => 'it was let in',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
    return [
      await said(partitionOffsets(place)),
      await said(new KafkaPing(brokers).ask()),
      await said(checkKafka(brokers)),
    ];
  };

  it.each<Refusal>([
    ...USERS.map((user): Refusal => [
      `with a wrong password by ${user.mechanism}`,
      () => ({ ...right, sasl: { ...user, password: WRONG_PASSWORD } }),
      WHO,
    ]),
    [
      'with a user that only another mechanism knows',
      () => ({ ...right, sasl: { ...PLAIN, mechanism: USER.mechanism } }),
      WHO,
    ],
    [
      'that trusts another authority',
      () => ({ ...right, tls: { ca: readFileSync(stranger.ca, 'utf8') } }),
      /WEIR_KAFKA_CA_FILE/,
    ],
    ['that trusts only what Node knows', () => ({ ...right, tls: {} }), /WEIR_KAFKA_CA_FILE/],
    ['without a user', () => ({ ...right, sasl: null }), /WEIR_KAFKA_SASL/],
    ['without TLS', () => ({ ...right, tls: null }), /WEIR_KAFKA_TLS/],
  ])('refuses a client %s, who is told what to set, and never a password', async (_who, security, names) => {
    const refusals = await refusalOf(security(), cluster.addresses);
    for (const said of refusals) {
      expect(said).toMatch(names);
      expect(said).toContain(cluster.addresses[0]);
      expect(said.trim().split('\n')).toHaveLength(1);
      for (const secret of [WRONG_PASSWORD, ...USERS.map(({ password }) => password)])
        expect(said).not.toContain(secret);
    }
  });

  it('is not believed under a name that its certificate does not have', async () => {
    const brokers = cluster.addresses.map((address) => address.replace('127.0.0.1', 'localhost'));
    for (const said of await refusalOf(right, brokers)) {
      expect(said).toMatch(/WEIR_KAFKA_CA_FILE .* name it in WEIR_KAFKA_BROKERS as the certificate does/);
    }
  });
});
