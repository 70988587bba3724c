// Asks a Kafka whether it answers, by the address alone.
import { Kafka, logLevel } from 'kafkajs';

import { clientSecurity, securityRemedy } from '../kafka/security.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { StackError } from './stack-error.ts';

const REMEDY = 'start it, correct the address, or unset the variable to have Kafka started here';

/** Whether the cluster answers and has a broker that serves clients; with `clusterId`, whether it is that very cluster. */
export async function isKafkaReady(brokers: readonly string[], clusterId?: string): Promise<boolean> {
  try {
    const cluster = await describeCluster(brokers);
    return cluster.brokers.length > 0 && (clusterId === undefined || cluster.clusterId === clusterId);
  } catch {
    return false;
  }
}

/** Throws StackError unless the Kafka at this address (WEIR_KAFKA_BROKERS) answers. */
export async function checkKafka(brokers: readonly string[]): Promise<{ brokers: number }> {
  try {
    return { brokers: (await describeCluster(brokers)).brokers.length };
  } catch (error) {
    throw new StackError(
      `Kafka at ${brokers.join(',')} (WEIR_KAFKA_BROKERS) does not answer: ${messageOf(error)}; ${securityRemedy(messageOf(error)) ?? REMEDY}.`,
      { cause: error },
    );
  }
}

async function describeCluster(brokers: readonly string[]): Promise<{ brokers: unknown[]; clusterId: string }> {
  const kafka = new Kafka({
    clientId: 'weir-health',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
    ...clientSecurity(),
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await admin.describeCluster();
  } finally {
    await admin.disconnect();
  }
}
