// Publishes positions as the committed offsets of a Kafka group, so that Kafka's own tools see the lag. Only a hint: no one reads it back.
import { assert } from '../pipeline/ensure.ts';
import type { BrokerLink } from './broker-link.ts';
import { unjudgedRequest } from './kafkajs-internals.ts';
import type { Broker } from './kafkajs-internals.ts';
import { PassingError, throwProtocolError } from './trouble.ts';

/** The next offset to read of one partition. */
export type PartitionPosition = { readonly partition: number; readonly offset: number };

type CoordinatorAnswer = { readonly errorCode: number; readonly coordinator: { readonly nodeId: number } };
type OffsetCommitAnswer = {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
  }[];
};

const GROUP = 0;
/** A commit from outside of the group's membership, which Kafka takes while the group has no live members. */
const NO_GENERATION = -1;
const NO_MEMBER = '';
const OFFSET_ADVICE = 'check the rights of this client, and stop other consumers that use this group name';

/** The broker that keeps the offsets of `group`. Throws PassingError or KafkaRefusedError. */
export async function findCoordinator(link: BrokerLink, group: string): Promise<Broker> {
  const anyone = await link.anyBroker();
  const request = unjudgedRequest<CoordinatorAnswer>(anyone, 'GroupCoordinator', {
    groupId: group,
    coordinatorType: GROUP,
  });
  const { errorCode, coordinator } = await anyone.connectionPool.send(request);
  throwProtocolError(errorCode, { sentence: `Kafka names no coordinator of group ${group}` });
  const broker = await link.node(coordinator.nodeId);
  if (!broker)
    throw new PassingError('NO_COORDINATOR', `The coordinator of group ${group} is a broker unknown so far.`);
  return broker;
}

/** Commits `positions` for `group` through its coordinator, in one request. Throws PassingError or KafkaRefusedError. */
export async function commitOffsets(
  coordinator: Broker,
  what: { readonly group: string; readonly topic: string; readonly positions: readonly PartitionPosition[] },
): Promise<void> {
  const request = unjudgedRequest<OffsetCommitAnswer>(coordinator, 'OffsetCommit', {
    groupId: what.group,
    groupGenerationId: NO_GENERATION,
    memberId: NO_MEMBER,
    topics: [{ topic: what.topic, partitions: what.positions }],
  });
  const answer = await coordinator.connectionPool.send(request);
  const committed = answer.responses.flatMap((response) => response.partitions);
  assert(
    committed.length === what.positions.length,
    `Kafka confirmed ${committed.length} of ${what.positions.length} offsets.`,
  );
  for (const { partition, errorCode } of committed) {
    throwProtocolError(errorCode, {
      sentence: `Kafka does not take the offset of partition ${partition} of topic ${what.topic} for group ${what.group}`,
      advice: OFFSET_ADVICE,
    });
  }
}
