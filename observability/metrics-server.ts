// The page that Prometheus reads: /metrics of one worker process, on an address of its own.
import { createServer } from 'node:http';
import type { Server } from 'node:http';

import type { Metrics } from './metrics.ts';

export type MetricsServer = {
  /** `host:port` that it listens on: another port than asked for, where that was taken. */
  readonly address: string;
  close(): Promise<void>;
};

/** Serves `/metrics` on `address` (`host:port`), or on a free port of the same host when the port is taken. */
export async function serveMetrics(
  metrics: Pick<Metrics, 'page' | 'contentType'>,
  address: string,
): Promise<MetricsServer> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replaceAll(/[[\]]/g, '');
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics.\n');
      return;
    }
    metrics.page().then(
      (page) => response.writeHead(200, { 'content-type': metrics.contentType }).end(page),
      (thrown: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(thrown)}\n`),
    );
  });
  await listen(server, host, Number(address.slice(colon + 1)));
  // The page must not keep a process alive that has nothing else to do.
  server.unref();
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${portOf(server)}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    await listenOnce(server, host, port);
  } catch (thrown) {
    if (port === 0 || !(thrown instanceof Error && 'code' in thrown && thrown.code === 'EADDRINUSE')) throw thrown;
    await listenOnce(server, host, 0);
  }
}

function listenOnce(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
