// A link to a Kafka cluster: finds topics and leaders over kafkajs's connections, and can be cut at once when it hangs.
import type { Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { assert, messageOf } from '../pipeline/ensure.ts';
import { KafkaUnreachableError } from './failures.ts';
import { createBroker, unjudgedRequest } from './kafkajs-internals.ts';
import type { Broker, SocketFactory } from './kafkajs-internals.ts';
import { kafkaSecurity } from './security.ts';

type Address = { readonly host: string; readonly port: number };
export type LinkOptions = {
  readonly brokers: readonly string[];
  readonly clientId?: string;
  /** Time within which an answer must have come whole. */
  readonly requestTimeoutMs?: number;
};
type MetadataAnswer = {
  readonly brokers: readonly (Address & { readonly nodeId: number })[];
  readonly topicMetadata: readonly TopicMetadata[];
};

/** What the cluster says about one topic. Error codes are Kafka's; 0 is none. A `leader` of -1 is nobody. */
export type TopicMetadata = {
  readonly topicErrorCode: number;
  readonly topic: string;
  readonly partitionMetadata: readonly PartitionMetadata[];
};
type PartitionMetadata = {
  readonly partitionErrorCode: number;
  readonly partitionId: number;
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
};

const CONNECTION_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
const KEEP_ALIVE_MS = 30_000;

/** Reads "host:port" or "[v6]:port". Throws a sentence that names the setting when it is neither. */
export function parseAddress(text: string): Address {
  const found = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim());
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  assert(
    host !== undefined && port > 0 && port < 65_536,
    `"${text}" is no Kafka address: write WEIR_KAFKA_BROKERS as host:port, several separated by commas.`,
  );
  return { host, port };
}

/**
 * Brokers are connected when first asked for and kept. kafkajs keeps half-read bytes over a reconnect and knows no way to
 * stop a connection that hangs, so after any connection trouble the owner calls `cut()`: every socket is destroyed, every
 * waiting request fails, and the next call starts with fresh connections.
 */
export class BrokerLink {
  readonly addresses: readonly string[];
  readonly #bootstrap: readonly Address[];
  readonly #clientId: string;
  readonly #requestTimeoutMs: number;
  readonly #security = kafkaSecurity();
  readonly #sockets = new Set<Socket>();
  readonly #brokers = new Map<string, Promise<Broker>>();
  #nodes = new Map<number, Address>();
  #turn = 0;
  #closed: string | null = null;

  constructor(options: LinkOptions) {
    assert(options.brokers.length > 0, 'No Kafka address is given: set WEIR_KAFKA_BROKERS to host:port.');
    this.addresses = options.brokers;
    this.#bootstrap = options.brokers.map(parseAddress);
    this.#clientId = options.clientId ?? 'weir';
    this.#requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  }

  /** How many brokers the cluster named in its last metadata (0 before). */
  get nodeCount(): number {
    return this.#nodes.size;
  }

  /** What the cluster knows of `topic` now; asks whichever broker answers. Throws KafkaUnreachableError when none does. */
  async topicMetadata(topic: string): Promise<TopicMetadata> {
    const broker = await this.anyBroker();
    // Unjudged: one partition without a leader must not hold back the healthy ones.
    const answer = await broker.connectionPool.send(
      unjudgedRequest<MetadataAnswer>(broker, 'Metadata', { topics: [topic], allowAutoTopicCreation: false }),
    );
    this.#nodes = new Map(answer.brokers.map((node) => [node.nodeId, { host: node.host, port: node.port }]));
    const found = answer.topicMetadata.find((metadata) => metadata.topic === topic);
    assert(found !== undefined, `Kafka answered about other topics than ${topic}.`);
    return found;
  }

  /** The connected broker with this node id, as named in the last metadata; null when the cluster doesn't name it. */
  async node(nodeId: number): Promise<Broker | null> {
    const address = this.#nodes.get(nodeId);
    return address === undefined ? null : this.#brokerAt(address);
  }

  /** A connected broker, whichever answers first. */
  async anyBroker(): Promise<Broker> {
    let lastTrouble: unknown = null;
    const candidates = [...this.#bootstrap, ...this.#nodes.values()];
    for (const _ of candidates) {
      const address = candidates[this.#turn % candidates.length];
      assert(address !== undefined, 'The list of Kafka addresses is empty.');
      try {
        return await this.#brokerAt(address);
      } catch (thrown) {
        lastTrouble = thrown;
        this.#turn += 1;
      }
    }
    throw new KafkaUnreachableError(this.addresses, lastTrouble);
  }

  /** Destroys every socket: what waits fails now, and the next call connects anew. */
  cut(why: string): void {
    for (const socket of this.#sockets) socket.destroy(new Error(why));
    this.#sockets.clear();
    this.#brokers.clear();
  }

  /** Cuts it for good: calls still under way fail instead of connecting anew. */
  close(why: string): void {
    this.#closed = why;
    this.cut(why);
  }

  #brokerAt(address: Address): Promise<Broker> {
    const key = `${address.host}:${address.port}`;
    const known = this.#brokers.get(key);
    if (known) return known;
    const opened = this.#open(address);
    this.#brokers.set(key, opened);
    // Forgets it only if it is still the one in use: a cut may have put a newer one there.
    opened.catch(() => {
      if (this.#brokers.get(key) === opened) this.#brokers.delete(key);
    });
    return opened;
  }

  async #open({ host, port }: Address): Promise<Broker> {
    assert(this.#closed === null, this.#closed ?? '');
    const broker = createBroker({
      host,
      port,
      clientId: this.#clientId,
      socketFactory: this.#openSocket,
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: this.#requestTimeoutMs,
      // Of its own: kafkajs writes into it.
      sasl: this.#security.sasl && { ...this.#security.sasl },
    });
    try {
      await broker.connect();
    } catch (thrown) {
      broker.disconnect().catch(() => undefined);
      throw new Error(`${host}:${port}: ${messageOf(thrown)}`, { cause: thrown });
    }
    return broker;
  }

  readonly #openSocket: SocketFactory = ({ host, port, onConnect }) => {
    const { tls } = this.#security;
    const place = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    // A name that is an address may not be sent; the certificate is held to it all the same.
    const socket = tls
      ? connectTls({ ...place, ...tls, ...(isIP(host) === 0 && { servername: host }) }, onConnect)
      : connect(place, onConnect);
    this.#sockets.add(socket);
    // kafkajs reconnects a broken connection by itself when it is used again.
    if (this.#closed !== null) socket.destroy(new Error(this.#closed));
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  };
}
