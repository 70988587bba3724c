// Asks Kafka whether any of its brokers answers: over one kept connection, with the smallest question there is.
import { messageOf } from '../pipeline/ensure.ts';
import { BrokerLink } from './broker-link.ts';
import { KafkaUnreachableError } from './failures.ts';
import { unjudgedRequest } from './kafkajs-internals.ts';

export class KafkaPing {
  readonly #brokers: readonly string[];
  #link: BrokerLink;

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers;
    this.#link = this.#open();
  }

  /** Resolves when a broker answers and names one that serves clients; throws one sentence otherwise. */
  async ask(): Promise<void> {
    const link = this.#link;
    try {
      const broker = await link.anyBroker();
      const { brokers } = await broker.connectionPool.send(
        unjudgedRequest<{ brokers: readonly unknown[] }>(broker, 'Metadata', {
          topics: [],
          allowAutoTopicCreation: false,
        }),
      );
      if (brokers.length === 0) throw new Error('the cluster names no broker that serves clients');
    } catch (error) {
      this.cut(messageOf(error));
      throw error instanceof KafkaUnreachableError ? error : new KafkaUnreachableError(link.addresses, error);
    }
  }

  /** Destroys its connections: a question under way fails and gives `why` as its reason, the next one connects anew. */
  cut(why: string): void {
    // For good: a link that is only cut would go on and try the other addresses.
    this.#link.close(why);
    this.#link = this.#open();
  }

  #open(): BrokerLink {
    return new BrokerLink({ brokers: this.#brokers, clientId: 'weir-probe' });
  }
}
