// Watches one topic over one kept connection: its partitions, where their logs end, and where Weir has read to.
import type { TopicMetadata } from './broker-link.ts';
import { BrokerLink } from './broker-link.ts';
import { commitOffsets, findCoordinator } from './group-offsets.ts';
import type { PartitionPosition } from './group-offsets.ts';
import type { Broker } from './kafkajs-internals.ts';
import { lookUpOffsets, lookUpOffsetsAt } from './offset-lookup.ts';
import type { OffsetsAtTime, PartitionOffsets } from './offset-lookup.ts';
import { persevere } from './persevere.ts';
import { TopicLeaders } from './topic-leaders.ts';

/** Watches one topic over one kept connection. Every call may throw KafkaUnreachableError or TopicMissingError. */
export type TopicObserver = {
  /** The topic's partitions now, ascending. */
  partitions(): Promise<number[]>;
  /** Start and end of every partition's log now, by ascending partition; two small requests per broker. */
  offsets(): Promise<PartitionOffsets[]>;
  /** The same, and where the time (epoch ms by the records' Kafka timestamps) lies in each log. */
  offsetsAt(timeMs: number): Promise<OffsetsAtTime[]>;
  /** Publishes next offsets as those of `group`; throws KafkaRefusedError while the group has live members. */
  publishOffsets(group: string, positions: readonly PartitionPosition[]): Promise<void>;
  close(): Promise<void>;
};

/** Connects when first asked. Leaders and coordinators are kept until something fails, then asked for again. */
export class Observer implements TopicObserver {
  readonly #topic: string;
  readonly #link: BrokerLink;
  readonly #leaders: TopicLeaders;
  readonly #coordinators = new Map<string, Broker>();

  constructor({ brokers, topic }: { readonly brokers: readonly string[]; readonly topic: string }) {
    this.#topic = topic;
    this.#link = new BrokerLink({ brokers });
    this.#leaders = new TopicLeaders(this.#link, topic);
  }

  partitions(): Promise<number[]> {
    return this.#persevere(async () => partitionsOf(await this.#leaders.read()));
  }

  offsets(): Promise<PartitionOffsets[]> {
    return this.#ofEveryLeader(async (broker, partitions) => lookUpOffsets(broker, { topic: this.#topic, partitions }));
  }

  offsetsAt(timeMs: number): Promise<OffsetsAtTime[]> {
    return this.#ofEveryLeader(async (broker, partitions) =>
      lookUpOffsetsAt(broker, { topic: this.#topic, partitions }, timeMs),
    );
  }

  async publishOffsets(group: string, positions: readonly PartitionPosition[]): Promise<void> {
    if (positions.length === 0) return;
    await this.#persevere(async () => {
      await this.#leaders.current();
      const coordinator = this.#coordinators.get(group) ?? (await findCoordinator(this.#link, group));
      this.#coordinators.set(group, coordinator);
      await commitOffsets(coordinator, { group, topic: this.#topic, positions });
    });
  }

  close(): Promise<void> {
    this.#link.close(`The observer of topic ${this.#topic} is closed.`);
    return Promise.resolve();
  }

  /** What every leader says of its partitions, by ascending partition. */
  #ofEveryLeader<Said extends { readonly partition: number }>(
    ask: (broker: Broker, partitions: readonly number[]) => Promise<Said[]>,
  ): Promise<Said[]> {
    return this.#persevere(async () => {
      const all = partitionsOf(await this.#leaders.current()).map((partition) => ({ partition }));
      const lookups = [...(await this.#leaders.byLeader(all))].map(async ([leader, led]) => {
        const broker = await this.#leaders.broker(leader, led);
        return await ask(
          broker,
          led.map(({ partition }) => partition),
        );
      });
      return (await Promise.all(lookups)).flat().toSorted((a, b) => a.partition - b.partition);
    });
  }

  #persevere<Result>(attempt: () => Promise<Result>): Promise<Result> {
    return persevere(this.#link, async () => {
      try {
        return await attempt();
      } catch (thrown) {
        // Leaders or the coordinator may have moved; the next try asks again.
        this.#leaders.forget();
        this.#coordinators.clear();
        throw thrown;
      }
    });
  }
}

function partitionsOf(metadata: TopicMetadata): number[] {
  return metadata.partitionMetadata.map(({ partitionId }) => partitionId).toSorted((a, b) => a - b);
}
