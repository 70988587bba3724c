// TLS as the URL says it, with the meaning that PostgreSQL's own clients give it. `pg` left alone takes sslmode=require for
// verify-full, and would write a warning about that to standard error.
import { accessSync, constants } from 'node:fs';

import { messageOf } from '../pipeline/ensure.ts';

const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const;

/**
 * The URL for `pg`: unchanged without sslmode. require encrypts and checks nothing (with sslrootcert: the authority);
 * verify-ca checks the authority; verify-full the host name as well, by sslrootcert or, without it and with "system", by the
 * authorities that Node knows. Throws one sentence when a file cannot be read.
 */
export function withTlsOf(url: string): string {
  const [place = '', query] = url.split('?', 2);
  if (query === undefined) return url;
  const params = new URLSearchParams(query);
  if (!params.has('sslmode')) return url;
  if (params.get('sslmode') === 'verify-full' && params.get('sslrootcert') === 'system') params.delete('sslrootcert');
  for (const name of FILES) {
    const path = params.get(name);
    if (path !== null) mustBeReadable(name, path);
  }
  params.set('uselibpqcompat', 'true');
  return `${place}?${params.toString()}`;
}

function mustBeReadable(name: string, path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new Error(
      `${name}=${path} in WEIR_POSTGRES_URL cannot be read (${messageOf(error)}): name a PEM file that this user may read.`,
      { cause: error },
    );
  }
}

/** What ends a trouble of TLS, told by the words of Node and `pg`; null for any other. Without a full stop. */
export function tlsRemedy(said: string): string | null {
  if (/does not support SSL/.test(said)) return 'switch its ssl on, or set sslmode=disable in WEIR_POSTGRES_URL';
  if (/altnames|does not match/i.test(said)) {
    return 'set the host in WEIR_POSTGRES_URL to a name that its certificate has';
  }
  if (/certificate|self-signed|issuer/i.test(said)) {
    return 'set sslrootcert in WEIR_POSTGRES_URL to the authority that signed its certificate';
  }
  return null;
}
