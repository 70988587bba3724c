// Forbids and allows a topic to everybody, as the broker's administrator would: with an access rule.
import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';

import { connectKafka } from '../../kafka/client.ts';

// Node does not find these names in kafkajs by itself.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

/** Settings of a broker on which topics can be forbidden; whatever is not, is allowed. */
export const AUTHORIZER = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
} as const;

const RULE = {
  resourceType: AclResourceTypes.TOPIC,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: 'User:*',
  host: '*',
  operation: AclOperationTypes.ALL,
  permissionType: AclPermissionTypes.DENY,
} as const;

type TopicPlace = { readonly brokers: readonly string[]; readonly topic: string };

/** From now on the broker answers TOPIC_AUTHORIZATION_FAILED to whoever asks for the topic. It needs AUTHORIZER. */
export async function forbidTopic({ brokers, topic }: TopicPlace): Promise<void> {
  await withAdmin(brokers, async (admin) => await admin.createAcls({ acl: [{ ...RULE, resourceName: topic }] }));
}

export async function allowTopic({ brokers, topic }: TopicPlace): Promise<void> {
  await withAdmin(brokers, async (admin) => await admin.deleteAcls({ filters: [{ ...RULE, resourceName: topic }] }));
}

async function withAdmin(brokers: readonly string[], use: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = connectKafka({ brokers }).kafka.admin();
  await admin.connect();
  try {
    await use(admin);
  } finally {
    await admin.disconnect();
  }
}
