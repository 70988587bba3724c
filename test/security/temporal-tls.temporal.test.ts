// Temporal behind TLS that asks for a certificate, as Temporal Cloud does: who comes in, and what the others are told. The
// development server has no TLS, so that a proxy ends it in front of the real one.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { connect } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:tls';

import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';

import { openControl } from '../../cli/temporal-control.ts';
import { checkTemporal } from '../../local/temporal-health.ts';
import { secureTemporal } from '../../local/temporal-security.ts';
import type { TemporalSecurity, TemporalTls } from '../../local/temporal-security.ts';
import { HealthRecord } from '../../observability/health-record.ts';
import { openLog } from '../../observability/log.ts';
import { messageOf } from '../../pipeline/ensure.ts';
import { connectPatiently } from '../../workers/temporal-connection.ts';
import { TemporalPing } from '../../workers/temporal-ping.ts';
import { hasOpenssl, makeAuthority } from '../support/certificates.ts';
import type { Authority, Certificate } from '../support/certificates.ts';
import { PipelineWorld, eventsFrom, startWorker } from '../workflows/pipeline-world.ts';

const servers = inject('servers');
const API_KEY = 'key-5f0c1f';

const read = ({ cert, key }: Certificate) => ({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') });
const portOf = (server: { address(): AddressInfo | string | null }): number => {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

/** Every way by which a process asks Temporal anything; the error texts of all of them. */
async function refusals(address: string): Promise<string[]> {
  const place = { address, namespace: 'default' };
  const ping = new TemporalPing(place);
  const asked = [openControl(place), ping.ask(), checkTemporal(address, 'default')].map(
    async (work) => await work.then(() => 'it was let in', messageOf),
  );
  const said = await Promise.all(asked);
  ping.cut('the test is over');
  return said;
}

describe.skipIf(!hasOpenssl())(
  'a Temporal that wants a certificate (openssl must be installed)',
  { timeout: 240_000 },
  () => {
    let authority: Authority;
    let stranger: Authority;
    let proxy: Server;
    let keyed: ReturnType<typeof createSecureServer>;
    const keysSeen = new Set<string>();
    let address: string;
    let right: TemporalTls;

    beforeAll(async () => {
      authority = makeAuthority();
      stranger = makeAuthority();
      const [host = '', port = ''] = servers.temporalAddress.split(':');
      const certificate = read(authority.sign('temporal', ['DNS:temporal.test', 'IP:127.0.0.1']));
      const ca = readFileSync(authority.ca, 'utf8');
      proxy = createServer(
        { ...certificate, ca, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] },
        (client) => {
          const server = connect(Number(port), host);
          client.on('error', () => server.destroy()).pipe(server);
          server.on('error', () => client.destroy()).pipe(client);
        },
      );
      keyed = createSecureServer(certificate);
      keyed.on('stream', (stream, headers) => {
        keysSeen.add(String(headers.authorization));
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16', 'grpc-message': 'no such key' },
          { endStream: true },
        );
      });
      await Promise.all(
        [proxy, keyed].map((server) => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))),
      );
      address = `127.0.0.1:${portOf(proxy)}`;
      right = { ca, certificate: read(authority.sign('weir', ['DNS:weir'])), serverName: null };
    });

    afterEach(() => secureTemporal({ tls: null, apiKey: null }));

    afterAll(async () => {
      proxy.close();
      keyed.close();
      authority.remove();
      stranger.remove();
    });

    it.each([
      ['by the address that the certificate has', {}],
      ['by another name that it has', { serverName: 'temporal.test' }],
    ])('serves command line, probe and doctor with the right certificate, %s', async (_how, changes) => {
      secureTemporal({ tls: { ...right, ...changes }, apiKey: null });
      const control = await openControl({ address, namespace: 'default' });
      expect(await control.isRunning('nothing')).toBe(false);
      await control.close();
      const ping = new TemporalPing({ address, namespace: 'default' });
      await ping.ask();
      ping.cut('the test is over');
      expect((await checkTemporal(address, 'default')).version).toMatch(/^\d+\./);
    });

    it('lets a worker run a pipeline', async () => {
      secureTemporal({ tls: right, apiKey: null });
      const worker = await startWorker({ ...servers, temporalAddress: address });
      const world = await PipelineWorld.open(servers, worker.taskQueues);
      await world.send(eventsFrom(new Date().toISOString(), 5));
      await world.start();
      await world.untilIngested(5);
      expect(await world.count('events')).toBe(5);
      await worker.drain();
      await world.close();
    });

    it.each<[string, () => TemporalSecurity]>([
      ['without a certificate', () => ({ tls: { ...right, certificate: null }, apiKey: null })],
      [
        'with a certificate of another authority',
        () => ({ tls: { ...right, certificate: read(stranger.sign('weir', ['DNS:weir'])) }, apiKey: null }),
      ],
      [
        'that trusts another authority',
        () => ({ tls: { ...right, ca: readFileSync(stranger.ca, 'utf8') }, apiKey: null }),
      ],
      ['that wants another server name', () => ({ tls: { ...right, serverName: 'other.test' }, apiKey: null })],
      ['without TLS', () => ({ tls: null, apiKey: null })],
    ])('refuses whoever comes %s, and says which settings it may be', async (_who, security) => {
      secureTemporal(security());
      const names = security().tls === null ? /WEIR_TEMPORAL_TLS/ : /WEIR_TEMPORAL_CA_FILE/;
      for (const said of await refusals(address)) {
        expect(said).toMatch(names);
        expect(said).not.toContain('PRIVATE KEY');
      }
    });

    it('is shown the API key by everybody, and nobody repeats it when it is refused', async () => {
      secureTemporal({ tls: { ...right, certificate: null }, apiKey: API_KEY });
      const said = await refusals(`127.0.0.1:${portOf(keyed)}`);
      expect(said.join('\n')).not.toContain(API_KEY);
      expect(said).not.toContain('it was let in');
      expect([...keysSeen]).toEqual([`Bearer ${API_KEY}`]);
    });

    it('is shown the API key by a worker, whose log does not repeat it', async () => {
      secureTemporal({ tls: { ...right, certificate: null }, apiKey: API_KEY });
      keysSeen.clear();
      const ended = new AbortController();
      const said: string[] = [];
      const to = {
        write: (line: string): void => {
          said.push(line);
          ended.abort();
        },
      };
      const connection = await connectPatiently(
        { address: `127.0.0.1:${portOf(keyed)}`, namespace: 'default' },
        {
          log: openLog({ name: 'test worker', level: 'info', to }),
          signal: ended.signal,
          health: new HealthRecord({ needs: [] }),
        },
      );
      expect([connection, said.length]).toEqual([null, 1]);
      expect(said.join('')).toContain('no such key');
      expect(said.join('')).not.toContain(API_KEY);
      expect([...keysSeen]).toEqual([`Bearer ${API_KEY}`]);
    });
  },
);
