// A TCP proxy that breaks the line between two real programs: cuts it, swallows answers, stalls, slows or refuses.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

import { must } from '../../pipeline/ensure.ts';

/** Bytes held back on one line before its sender is made to wait. */
const MOST_HELD_BYTES = 4_000_000;

export type LinkSpeed = { readonly ms: number; readonly bytesPerSecond?: number };
export type Side = 'client' | 'server';

/** How many bytes of this chunk still pass before the line is cut or stalled; null: all of it, and nothing happens. */
export type FindPoint = (chunk: Buffer, from: Side) => number | null;

export type ProxyTarget = {
  /** "host:port" of the server behind the proxy. */
  readonly target: string;
  /** Port on 127.0.0.1; any free one when absent. */
  readonly port?: number;
  /** Kafka's brokers tell their clients where to connect: replies then name the proxy where they named 127.0.0.1 and the target's port. */
  readonly namesItself?: boolean;
};

/** What holds for all lines just now, new ones included. */
type Weather = {
  /** Told of each answer that reaches nobody; null: all do. */
  dropReply: ((reply: Buffer) => void) | null;
  stalled: boolean;
  speed: LinkSpeed | null;
  /** What happens at a point in the bytes, once. */
  ambush: { readonly find: FindPoint; readonly deed: 'cut' | 'stall'; readonly done: () => void } | null;
};

const FAIR: Weather = { dropReply: null, stalled: false, speed: null, ambush: null };

/** Starts to listen. One fault at a time, or several together: `heal` ends them all. */
export async function openTcpProxy(options: ProxyTarget): Promise<TcpProxy> {
  const proxy = new TcpProxy(options);
  await proxy.listen(options.port ?? 0);
  return proxy;
}

export class TcpProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #namesItself: boolean;
  readonly #lines = new Set<Line>();
  readonly #weather: Weather = { ...FAIR };
  #server: Server | null = null;
  #port = 0;

  constructor({ target, namesItself }: ProxyTarget) {
    this.#namesItself = namesItself ?? false;
    const colon = target.lastIndexOf(':');
    this.#target = { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
  }

  /** "127.0.0.1:port"; stays the same through `refuse` and `heal`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Lines that stand just now. */
  get connections(): number {
    return this.#lines.size;
  }

  async listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
    this.#server = server;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = must(server.address(), 'the address of a server that listens');
    this.#port = typeof address === 'string' ? port : address.port;
  }

  /** Resets every line now. What was passed on already reaches the server; new lines are fine. */
  cut(): void {
    for (const line of this.#lines) line.cut();
  }

  /** Cuts the first line where `find` says so, in the middle of a message if it likes; then all is fair again. */
  cutAt(find: FindPoint): void {
    this.#weather.ambush = { find, deed: 'cut', done: () => {} };
  }

  /** Like `blackhole`, but from a point in the bytes on; resolves when it is reached. */
  async stallAt(find: FindPoint): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#weather.ambush = { find, deed: 'stall', done: resolve };
    });
  }

  /** Requests reach the server, its answers reach nobody. Lines that missed one are cut by `heal`. */
  dropReplies(told: (reply: Buffer) => void = () => {}): void {
    this.#weather.dropReply = told;
  }

  /** Nothing passes in either direction and nobody is told; `heal` delivers what was held, as a network does. */
  blackhole(): void {
    this.#weather.stalled = true;
  }

  /** Each direction takes `ms` longer and carries at most `bytesPerSecond`. */
  delay(speed: LinkSpeed): void {
    this.#weather.speed = speed;
  }

  /** Cuts every line and refuses new ones (ECONNREFUSED). */
  async refuse(): Promise<void> {
    this.cut();
    const server = this.#server;
    this.#server = null;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  /** Ends every fault. */
  async heal(): Promise<void> {
    Object.assign(this.#weather, FAIR);
    if (!this.#server) await this.listen(this.#port);
    for (const line of this.#lines) line.heal();
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  #join(client: Socket): void {
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const line = new Line({
      client,
      server,
      weather: this.#weather,
      translate: this.#namesItself ? (data) => this.#name(data) : (data) => data,
      over: () => this.#lines.delete(line),
    });
    this.#lines.add(line);
  }

  /** A host as Kafka writes it, followed by the port in four bytes. */
  #name(data: Buffer): Buffer {
    const told = Buffer.alloc(13, '127.0.0.1');
    told.writeInt32BE(this.#target.port, 9);
    for (let at = data.indexOf(told); at >= 0; at = data.indexOf(told, at + 1)) data.writeInt32BE(this.#port, at + 9);
    return data;
  }
}

type LineParts = {
  readonly client: Socket;
  readonly server: Socket;
  readonly weather: Weather;
  readonly translate: (reply: Buffer) => Buffer;
  readonly over: () => void;
};

/** One client's connection and the one to the server that belongs to it. */
class Line {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #flows: readonly Flow[];

  constructor({ client, server, weather, translate, over }: LineParts) {
    this.#client = client;
    this.#server = server;
    const cut = (): void => this.cut();
    this.#flows = [
      new Flow({ from: client, to: server, side: 'client', weather, translate: (data) => data, cut }),
      new Flow({ from: server, to: client, side: 'server', weather, translate, cut }),
    ];
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // In a stall the other side does not learn of it either.
      socket.on('error', () => {
        if (!weather.stalled) this.cut();
      });
      socket.on('close', () => {
        if (client.closed && server.closed) over();
      });
    }
  }

  cut(): void {
    for (const flow of this.#flows) flow.stop();
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    // No reset: it would throw away what was passed on and is still under way.
    this.#server.destroySoon();
  }

  heal(): void {
    const isBroken = this.#client.destroyed || this.#server.destroyed;
    if (isBroken || this.#flows.some((flow) => flow.lostBytes)) this.cut();
    else for (const flow of this.#flows) flow.drain();
  }
}

type Chunk = { readonly data: Buffer | null; readonly dueMs: number };
type FlowParts = {
  readonly from: Socket;
  readonly to: Socket;
  readonly side: Side;
  readonly weather: Weather;
  readonly translate: (data: Buffer) => Buffer;
  readonly cut: () => void;
};

/** One direction of a line: a queue of chunks, each with the time at which it may arrive. */
class Flow {
  readonly #parts: FlowParts;
  readonly #queue: Chunk[] = [];
  #heldBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;
  lostBytes = false;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    parts.from.on('data', (data: Buffer) => this.#take(parts.translate(data)));
    parts.from.on('end', () => this.#push(null));
    parts.to.on('drain', () => this.drain());
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  /** Passes on what is due. */
  drain(): void {
    const { to, from, weather } = this.#parts;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#isStopped && !weather.stalled && !to.writableNeedDrain) {
      const head = this.#queue[0];
      if (!head) break;
      const waitMs = head.dueMs - Date.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.drain(), waitMs);
        break;
      }
      this.#queue.shift();
      this.#heldBytes -= head.data?.length ?? 0;
      this.#deliver(head.data);
    }
    if (this.#heldBytes < MOST_HELD_BYTES && from.isPaused()) from.resume();
  }

  #take(data: Buffer): void {
    this.#push(data);
    if (this.#heldBytes >= MOST_HELD_BYTES) this.#parts.from.pause();
  }

  #push(data: Buffer | null): void {
    const { speed } = this.#parts.weather;
    const carryMs = speed?.bytesPerSecond ? ((data?.length ?? 0) * 1000) / speed.bytesPerSecond : 0;
    const arrivalMs = Date.now() + (speed?.ms ?? 0);
    this.#lastDueMs = Math.max(arrivalMs, speed ? this.#lastDueMs : 0) + carryMs;
    this.#queue.push({ data, dueMs: this.#lastDueMs });
    this.#heldBytes += data?.length ?? 0;
    if (!this.#timer) this.drain();
  }

  #deliver(data: Buffer | null): void {
    const { to, side, weather, cut } = this.#parts;
    if (data === null) {
      to.end();
      return;
    }
    if (weather.dropReply && side === 'server') {
      this.lostBytes = true;
      weather.dropReply(data);
      return;
    }
    const { ambush } = weather;
    const passed = ambush?.find(data, side) ?? null;
    if (ambush === null || passed === null) {
      to.write(data);
      return;
    }
    weather.ambush = null;
    if (passed > 0) to.write(data.subarray(0, passed));
    if (ambush.deed === 'cut') cut();
    else {
      weather.stalled = true;
      this.#queue.unshift({ data: data.subarray(passed), dueMs: 0 });
      this.#heldBytes += data.length - passed;
    }
    ambush.done();
  }
}
