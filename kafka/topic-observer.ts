// Watches one topic over one kept connection: its partitions, where their logs end, and where Weir has read to.
import type { TopicMetadata } from './broker-link.ts';
import { BrokerLink } from './broker-link.ts';
import { commitOffsets, findCoordinator } from './group-offsets.ts';
import type { PartitionPosition } from './group-offsets.ts';
import type { Broker } from './kafkajs-internals.ts';
import { lookUpOffsets } from './offset-lookup.ts';
import type { PartitionOffsets } from './offset-lookup.ts';
import { persevere } from './persevere.ts';
import { describe, readTopic } from './topic-description.ts';
import { PassingError } from './trouble.ts';

/** Watches one topic over one kept connection. Every call may throw KafkaUnreachableError or TopicMissingError. */
export type TopicObserver = {
  /** The topic's partitions now, ascending. */
  partitions(): Promise<number[]>;
  /** Start and end of every partition's log now, by ascending partition; two small requests per broker. */
  offsets(): Promise<PartitionOffsets[]>;
  /** Publishes next offsets as those of `group`; throws KafkaRefusedError while the group has live members. */
  publishOffsets(group: string, positions: readonly PartitionPosition[]): Promise<void>;
  close(): Promise<void>;
};

const METADATA_MAX_AGE_MS = 30_000;

/** Connects when first asked. Leaders and coordinators are kept until something fails, then asked for again. */
export class Observer implements TopicObserver {
  readonly #topic: string;
  readonly #link: BrokerLink;
  #metadata: TopicMetadata | null = null;
  #readAtMs = 0;
  #coordinators = new Map<string, Broker>();

  constructor({ brokers, topic }: { readonly brokers: readonly string[]; readonly topic: string }) {
    this.#topic = topic;
    this.#link = new BrokerLink({ brokers });
  }

  partitions(): Promise<number[]> {
    return this.#persevere(async () => {
      const metadata = await this.#read();
      return describe(metadata, this.#link).partitions.map(({ partition }) => partition);
    });
  }

  offsets(): Promise<PartitionOffsets[]> {
    return this.#persevere(async () => {
      const { partitionMetadata } = await this.#current();
      const leaders = new Set(partitionMetadata.map(({ leader }) => leader));
      const lookups = [...leaders].map(async (leader) => {
        const broker = await this.#link.node(leader);
        const led = partitionMetadata.filter((each) => each.leader === leader);
        const partitions = led.map(({ partitionId }) => partitionId);
        const sentence = `Partition ${partitions.join(', ')} of topic ${this.#topic} has no leader now.`;
        if (!broker) throw new PassingError('NO_LEADER', sentence);
        return lookUpOffsets(broker, { topic: this.#topic, partitions });
      });
      return (await Promise.all(lookups)).flat().toSorted((a, b) => a.partition - b.partition);
    });
  }

  async publishOffsets(group: string, positions: readonly PartitionPosition[]): Promise<void> {
    if (positions.length === 0) return;
    await this.#persevere(async () => {
      await this.#current();
      const coordinator = this.#coordinators.get(group) ?? (await findCoordinator(this.#link, group));
      this.#coordinators.set(group, coordinator);
      await commitOffsets(coordinator, { group, topic: this.#topic, positions });
    });
  }

  close(): Promise<void> {
    this.#link.close(`The observer of topic ${this.#topic} is closed.`);
    return Promise.resolve();
  }

  async #read(): Promise<TopicMetadata> {
    this.#metadata = await readTopic(this.#link, this.#topic);
    this.#readAtMs = Date.now();
    return this.#metadata;
  }

  /** Read again now and then, because partitions may be added. */
  async #current(): Promise<TopicMetadata> {
    const stale = Date.now() - this.#readAtMs > METADATA_MAX_AGE_MS;
    return stale || this.#metadata === null ? this.#read() : this.#metadata;
  }

  #persevere<Result>(attempt: () => Promise<Result>): Promise<Result> {
    return persevere(this.#link, async () => {
      try {
        return await attempt();
      } catch (thrown) {
        // Leaders or the coordinator may have moved; the next try asks again.
        this.#metadata = null;
        this.#coordinators.clear();
        throw thrown;
      }
    });
  }
}
