// Where Temporal's own metrics are served: its runtime wants an IP address and a port that is free, and tells neither afterwards.
import { lookup } from 'node:dns/promises';

import getPort from 'get-port';

/**
 * The address (`host:port`) with its host as an IP address, and with a free port where the one asked for is taken or 0. Throws
 * when the host has no address.
 */
export async function freeAddress(address: string): Promise<string> {
  const colon = address.lastIndexOf(':');
  const { address: host, family } = await lookup(address.slice(0, colon).replaceAll(/[[\]]/g, ''));
  const wanted = Number(address.slice(colon + 1));
  const port = await getPort({ host, ...(wanted === 0 ? {} : { port: wanted }) });
  return `${family === 6 ? `[${host}]` : host}:${port}`;
}
