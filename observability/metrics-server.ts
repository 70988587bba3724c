// The pages of one worker process, on an address of their own: /metrics for Prometheus, /healthz and /readyz for probes.
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';

import type { HealthRecord, ProbeAnswer } from './health-record.ts';
import type { Metrics } from './metrics.ts';

export type MetricsServer = {
  /** `host:port` that it listens on: another port than asked for, where that was taken. */
  readonly address: string;
  close(): Promise<void>;
};

/**
 * Serves `/metrics`, and the probes where there is `health`, on `address` (`host:port`), or on a free port of the same
 * host when the port is taken.
 */
export async function serveMetrics(
  metrics: Pick<Metrics, 'page' | 'contentType'>,
  address: string,
  health?: Pick<HealthRecord, 'liveness' | 'readiness'>,
): Promise<MetricsServer> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replaceAll(/[[\]]/g, '');
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (health && path === '/healthz') {
      answer(response, health.liveness());
      return;
    }
    if (health && path === '/readyz') {
      answer(response, health.readiness());
      return;
    }
    if (path !== '/metrics') {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end(`The metrics are at /metrics${health ? ', the probes at /healthz and /readyz' : ''}.\n`);
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

function answer(response: ServerResponse, { status, body }: ProbeAnswer): void {
  // A probe wants to know how it is now.
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(`${JSON.stringify(body)}\n`);
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
