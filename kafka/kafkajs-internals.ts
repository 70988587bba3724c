// The private modules of kafkajs that Weir stands on, typed in one place: its version is pinned exactly and frozen, so they hold.
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

import type { KafkaSasl } from './security.ts';

/** What kafkajs writes to a socket: it asks only for these two views of an encoder. */
type Frame = { readonly buf: Buffer; readonly buffer: Buffer };

/** One request of Kafka's protocol and how its answer is read; `parse` gets what `decode` gave. */
export type ProtocolRequest<Answer> = {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<Frame>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<Answer & { clientSideThrottleTime?: number }>;
    readonly parse: (decoded: Answer) => Promise<Answer>;
  };
  readonly requestTimeout?: number;
};

type ProtocolDefinition = { readonly versions: readonly string[] };

/** kafkajs's Broker: two connections to one address, one of them only for Fetch, and the API versions of that broker. */
export type Broker = {
  readonly connectionPool: { send<Answer>(request: ProtocolRequest<Answer>): Promise<Answer> };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  lookupRequest<Answer>(apiKey: number, definition: ProtocolDefinition): (options: object) => ProtocolRequest<Answer>;
};

type SocketOptions = { host: string; port: number; onConnect: () => void };
export type SocketFactory = (options: SocketOptions) => Socket;
type Logger = { namespace(name: string): Logger };
type RequestQueue = {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
};
type ConnectionPoolOptions = {
  host: string;
  port: number;
  logger: Logger;
  clientId: string;
  socketFactory: SocketFactory;
  connectionTimeout: number;
  requestTimeout: number;
  sasl: KafkaSasl | null;
};
/** One error of Kafka's protocol, by its code. */
export type ProtocolError = Error & { readonly type: string; readonly code: number; readonly retriable: boolean };
type Codec = { decompress(bytes: Buffer): Promise<Buffer> };

const load = createRequire(import.meta.url);
const BrokerClass: new (options: object) => Broker = load('kafkajs/src/broker');
const ConnectionPoolClass: new (options: object) => object = load('kafkajs/src/network/connectionPool');
const RequestQueueClass: { readonly prototype: RequestQueue } = load('kafkajs/src/network/requestQueue');
const { createLogger }: { createLogger: (options: object) => Logger } = load('kafkajs/src/loggers');
const { requests }: { requests: Record<ApiName, ProtocolDefinition> } = load('kafkajs/src/protocol/requests');
const apiKeys: Record<ApiName, number> = load('kafkajs/src/protocol/requests/apiKeys');
const protocolErrors: { createErrorFromCode: (code: number) => ProtocolError } = load('kafkajs/src/protocol/error');
const { CompressionCodecs }: { CompressionCodecs: Record<number, (() => Codec) | undefined> } = load('kafkajs');

export type ApiName =
  | 'Produce'
  | 'Fetch'
  | 'ListOffsets'
  | 'Metadata'
  | 'OffsetCommit'
  | 'GroupCoordinator'
  | 'InitProducerId';

/** A log creator for kafkajs that says nothing: this folder returns, throws or counts, and its callers log. */
export const silentLog = () => () => undefined;

const silentLogger = createLogger({ level: 0, logCreator: silentLog });

/**
 * kafkajs re-arms a timer every millisecond for ever, once per connection, although nothing waits to be sent (4 to 6 % of
 * a core for five idle clients). With nothing pending there is nothing to check: the next request schedules its own check.
 */
function stopIdleTimers(queue: RequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function scheduleOnlyWhenPending(this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
stopIdleTimers(RequestQueueClass.prototype);

/** A broker object for one address; `connect()` opens it. Sockets come from `socketFactory`, so that its owner can cut them. */
export function createBroker(options: Omit<ConnectionPoolOptions, 'logger'>): Broker {
  const logger = silentLogger;
  const connectionPool = new ConnectionPoolClass({ ...options, logger });
  return new BrokerClass({ connectionPool, logger, allowAutoTopicCreation: false });
}

/** kafkajs's own request `api` in the highest version that it and the connected broker share. */
export function protocolRequest<Answer>(broker: Broker, api: ApiName, options: object): ProtocolRequest<Answer> {
  return broker.lookupRequest<Answer>(apiKeys[api], requests[api])(options);
}

/** The same, but errors inside the answer stay in it: kafkajs would throw a whole answer away for one partition of it. */
export function unjudgedRequest<Answer>(broker: Broker, api: ApiName, options: object): ProtocolRequest<Answer> {
  const request = protocolRequest<Answer>(broker, api, options);
  const { decode } = request.response;
  return { ...request, response: { decode, parse: (decoded) => Promise.resolve(decoded) } };
}

/** The protocol error behind `code`, or null for success. */
export function protocolError(code: number): ProtocolError | null {
  return code === 0 ? null : protocolErrors.createErrorFromCode(code);
}

/** The decompressor registered with kafkajs for a codec of Kafka (2 snappy, 3 lz4, 4 zstd), or null. */
export function registeredCodec(codec: number): Codec | null {
  try {
    return CompressionCodecs[codec]?.() ?? null;
  } catch {
    // kafkajs registers codecs that only throw "not implemented".
    return null;
  }
}
