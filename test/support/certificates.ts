// A certificate authority that lives as long as the test: it signs certificates of servers and clients by openssl.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of PEM files. */
export type Certificate = { readonly cert: string; readonly key: string };

export type Authority = {
  readonly folder: string;
  readonly ca: string;
  /** A certificate for these subject alternative names, such as "IP:127.0.0.1" or "DNS:db". */
  sign(name: string, altNames: readonly string[]): Certificate;
  remove(): void;
};

const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;

/** Whether openssl is there: Debian's package of that name. */
export function hasOpenssl(): boolean {
  try {
    openssl('version');
    return true;
  } catch {
    return false;
  }
}

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'weir-ca-'));
  // The server's user has to read its certificate.
  chmodSync(folder, 0o755);
  const path = (name: string): string => join(folder, name);
  const [ca, caKey] = [path('ca.crt'), path('ca.key')];
  openssl('req', '-x509', ...EC_KEY, '-keyout', caKey, '-out', ca, '-days', '2', '-subj', '/CN=Test Authority');
  return {
    folder,
    ca,
    sign: (name, altNames) => {
      const [cert, key, request, names] = [
        path(`${name}.crt`),
        path(`${name}.key`),
        path(`${name}.csr`),
        path(`${name}.ext`),
      ];
      writeFileSync(names, `subjectAltName=${altNames.join(',')}\n`);
      openssl('req', ...EC_KEY, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
      openssl(
        'x509',
        '-req',
        '-in',
        request,
        '-CA',
        ca,
        '-CAkey',
        caKey,
        '-CAcreateserial',
        '-out',
        cert,
        '-days',
        '2',
        '-extfile',
        names,
      );
      return { cert, key };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Key and certificate in one file, as a Kafka broker takes them. */
export function keystore({ cert, key }: Certificate): string {
  const path = `${key}.pem`;
  writeFileSync(path, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
  return path;
}
