// The proxy that breaks lines: each of its faults is what it says, and ends when it heals.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { eventually } from './eventually.ts';
import { openTcpProxy } from './tcp-proxy.ts';
import type { TcpProxy } from './tcp-proxy.ts';

let server: Server;
let proxy: TcpProxy;
let heard = '';

beforeEach(async () => {
  heard = '';
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      heard += data.toString();
      socket.write(data);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = must(server.address(), 'the address of the echo');
  proxy = await openTcpProxy({ target: typeof address === 'string' ? address : `127.0.0.1:${address.port}` });
});

afterEach(async () => {
  await proxy.close();
  server.close();
});

type Caller = { readonly socket: Socket; answer: () => string; isClosed: () => boolean };

async function call(): Promise<Caller> {
  const [host, port] = proxy.address.split(':');
  const socket = connect({ host, port: Number(port) });
  let answer = '';
  socket.on('data', (data) => (answer += data.toString()));
  socket.on('error', () => {});
  await once(socket, 'connect');
  return { socket, answer: () => answer, isClosed: () => socket.closed };
}

const soon = (what: string) => ({ deadlineMs: 5_000, what });

test('passes everything on, in order, in fair weather', async () => {
  const { socket, answer } = await call();
  const text = 'line of text\n'.repeat(100_000);
  socket.write(text);
  await eventually(() => answer().length === text.length, soon('the whole answer'));
  expect(answer()).toBe(text);
  socket.end();
  await eventually(() => proxy.connections === 0, soon('the line is over'));
});

test('a cut closes the line, and the next one is fine', async () => {
  const first = await call();
  first.socket.write('a');
  await eventually(() => first.answer() === 'a', soon('the first answer'));
  proxy.cut();
  await eventually(first.isClosed, soon('the line is cut'));
  const second = await call();
  second.socket.write('b');
  await eventually(() => second.answer() === 'b', soon('the second answer'));
  expect(heard).toBe('ab');
});

test('a line is cut in the middle of a message', async () => {
  const { socket, isClosed } = await call();
  proxy.cutAt((chunk, from) => (from === 'client' && chunk.includes('world') ? chunk.indexOf('world') : null));
  socket.write('hello world');
  await eventually(isClosed, soon('the line is cut'));
  await eventually(() => heard.length > 0, soon('the first half arrives'));
  expect(heard).toBe('hello ');
});

test('a line stalls in the middle of a message, and the rest comes when it heals', async () => {
  const { socket, answer } = await call();
  const stalled = proxy.stallAt((chunk) => (chunk.includes('world') ? chunk.indexOf('world') : null));
  socket.write('hello world');
  await stalled;
  await eventually(() => heard.length > 0, soon('the first half arrives'));
  expect(heard).toBe('hello ');
  await proxy.heal();
  await eventually(() => answer() === 'hello world', soon('the whole answer'));
});

test('without replies the server hears everything and the client nothing, and its line does not heal', async () => {
  const { socket, answer, isClosed } = await call();
  proxy.dropReplies();
  socket.write('commit');
  await eventually(() => heard === 'commit', soon('the request arrives'));
  await proxy.heal();
  await eventually(isClosed, soon('the line that missed a reply is cut'));
  expect(answer()).toBe('');
});

test('what a black hole holds back is delivered when it heals', async () => {
  const { socket, answer } = await call();
  proxy.blackhole();
  socket.write('held');
  await eventually(() => socket.writableLength === 0, soon('the bytes have left the client'));
  expect(heard).toBe('');
  await proxy.heal();
  await eventually(() => answer() === 'held', soon('the answer'));
});

test('a slow link delays each way, without piling the delays up', async () => {
  const { socket, answer } = await call();
  proxy.delay({ ms: 100, bytesPerSecond: 1_000_000 });
  const startMs = performance.now();
  socket.write('x'.repeat(200_000));
  await eventually(() => answer().length === 200_000, soon('the answer'));
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeGreaterThan(390);
  expect(tookMs).toBeLessThan(2_000);
});

test('refuses at the same address until it heals', async () => {
  const first = await call();
  const { address } = proxy;
  await proxy.refuse();
  await eventually(first.isClosed, soon('the line is cut'));
  await expect(call()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.heal();
  expect(proxy.address).toBe(address);
  const second = await call();
  second.socket.write('b');
  await eventually(() => second.answer() === 'b', soon('the answer'));
});
