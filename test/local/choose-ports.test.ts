import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

import { expect, test } from 'vitest';

import { choosePorts, isPortFree } from '../../local/choose-ports.ts';

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port.');
  return { server, port: address.port };
}

const WISH = { remembered: null, inUse: [], first: 'any' } as const;

test('the ports of an earlier start are taken again', async () => {
  const earlier = await choosePorts(WISH);
  expect(await choosePorts({ ...WISH, remembered: earlier })).toEqual(earlier);
});

test('a port that somebody took meanwhile leads to another, and only that one changes', async () => {
  const { server, port } = await listening();
  const earlier = { ...(await choosePorts(WISH)), postgres: port };
  const chosen = await choosePorts({ ...WISH, remembered: earlier });
  server.close();
  expect(chosen.postgres).not.toBe(port);
  expect({ ...chosen, postgres: port }).toEqual(earlier);
});

test('a port that this stack listens on itself is kept', async () => {
  const { server, port } = await listening();
  const earlier = { ...(await choosePorts(WISH)), temporal: port };
  const chosen = await choosePorts({ ...WISH, remembered: earlier, inUse: ['temporal'] });
  server.close();
  expect(chosen.temporal).toBe(port);
});

test('no two servers get the same port', async () => {
  const ports = Object.values(await choosePorts(WISH));
  expect(new Set(ports).size).toBe(ports.length);
});

test('a taken port is seen as taken', async () => {
  const { server, port } = await listening();
  expect(await isPortFree(port)).toBe(false);
  server.close();
});

test('ports of its own choice are none that an outgoing connection can get', async () => {
  for (const port of Object.values(await choosePorts(WISH))) expect(port).toBeLessThan(32_768);
});
