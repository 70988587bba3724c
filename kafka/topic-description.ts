// What a cluster says about one topic: its partitions, who leads them, where they are copied.
import type { BrokerLink, TopicMetadata } from './broker-link.ts';
import { TopicMissingError } from './failures.ts';
import { throwProtocolError } from './trouble.ts';

/** `leader` and `inSync` name broker ids; a leader of null is nobody at present. */
export type TopicDescription = {
  readonly topic: string;
  readonly brokerCount: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader: number | null;
    readonly replicas: readonly number[];
    readonly inSync: readonly number[];
  }[];
};

const UNKNOWN_TOPIC = 3;

/** Asks for `topic`. Throws TopicMissingError, KafkaRefusedError, KafkaUnreachableError or, when it passes, PassingError. */
export async function readTopic(link: BrokerLink, topic: string): Promise<TopicMetadata> {
  const metadata = await link.topicMetadata(topic);
  const code = metadata.topicErrorCode;
  if (code === UNKNOWN_TOPIC) throw new TopicMissingError(topic, link.addresses);
  throwProtocolError(code, {
    sentence: `Kafka does not describe topic ${topic}`,
    advice: 'check its name and the rights of this client',
  });
  return metadata;
}

/** Metadata in Weir's words, by ascending partition. */
export function describe(metadata: TopicMetadata, link: BrokerLink): TopicDescription {
  const partitions = metadata.partitionMetadata
    .map(({ partitionId, leader, replicas, isr }) => ({
      partition: partitionId,
      leader: leader < 0 ? null : leader,
      replicas,
      inSync: isr,
    }))
    .toSorted((a, b) => a.partition - b.partition);
  return { topic: metadata.topic, brokerCount: link.nodeCount, partitions };
}
