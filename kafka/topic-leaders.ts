// Remembers who leads the partitions of one topic, until told to forget or until it is old: partitions may move or be added.
import type { BrokerLink, TopicMetadata } from './broker-link.ts';
import type { Broker } from './kafkajs-internals.ts';
import { readTopic } from './topic-description.ts';
import { PassingError } from './trouble.ts';

const MAX_AGE_MS = 30_000;

export class TopicLeaders {
  readonly #link: BrokerLink;
  readonly #topic: string;
  #metadata: TopicMetadata | null = null;
  #readAtMs = 0;

  constructor(link: BrokerLink, topic: string) {
    this.#link = link;
    this.#topic = topic;
  }

  /** Asks the cluster now. Throws as `readTopic` does. */
  async read(): Promise<TopicMetadata> {
    this.#metadata = await readTopic(this.#link, this.#topic);
    this.#readAtMs = Date.now();
    return this.#metadata;
  }

  /** What was read last, or a fresh look. */
  current(): Promise<TopicMetadata> {
    const stale = Date.now() - this.#readAtMs > MAX_AGE_MS;
    return stale || this.#metadata === null ? this.read() : Promise.resolve(this.#metadata);
  }

  forget(): void {
    this.#metadata = null;
  }

  /** `items` (one per partition) by the node id of the partition's leader; -1 is nobody. */
  async byLeader<Item extends { readonly partition: number }>(items: readonly Item[]): Promise<Map<number, Item[]>> {
    const { partitionMetadata } = await this.current();
    const leaderOf = new Map(partitionMetadata.map((each) => [each.partitionId, each.leader]));
    const grouped = new Map<number, Item[]>();
    for (const item of items) {
      const leader = leaderOf.get(item.partition) ?? -1;
      grouped.set(leader, [...(grouped.get(leader) ?? []), item]);
    }
    return grouped;
  }

  /** The connected leader. Throws PassingError when there is none. */
  async broker(leader: number, led: readonly { readonly partition: number }[]): Promise<Broker> {
    const broker = await this.#link.node(leader);
    if (broker) return broker;
    const partitions = led.map(({ partition }) => partition).join(', ');
    throw new PassingError('NO_LEADER', `Partition ${partitions} of topic ${this.#topic} has no leader now.`);
  }
}
