// How this process trusts Temporal, and who it is to it: said once, before the first connection, and taken by every one: the
// worker's, the probe's, the command line's and the doctor's.

/** Content of PEM files; null: the usual authorities, no certificate of our own, the name in the address. */
export type TemporalTls = {
  readonly ca: string | null;
  readonly certificate: { readonly cert: string; readonly key: string } | null;
  readonly serverName: string | null;
};

/** `tls` null: readable on the network. */
export type TemporalSecurity = { readonly tls: TemporalTls | null; readonly apiKey: string | null };

let ofThisProcess: TemporalSecurity = { tls: null, apiKey: null };

/** Says how connections that are opened from now on are secured. */
export function secureTemporal(security: TemporalSecurity): void {
  ofThisProcess = security;
}

/** What was said last. */
export function temporalSecurity(): TemporalSecurity {
  return ofThisProcess;
}

type ClientSecurity = {
  readonly tls?: {
    readonly serverRootCACertificate?: Buffer;
    readonly serverNameOverride?: string;
    readonly clientCertPair?: { readonly crt: Buffer; readonly key: Buffer };
  };
  readonly apiKey?: string;
};

/** The same as both connections of Temporal's SDK take it. */
export function clientSecurity(): ClientSecurity {
  const { tls, apiKey } = ofThisProcess;
  if (tls === null) return {};
  const { ca, certificate, serverName } = tls;
  return {
    tls: {
      ...(ca !== null && { serverRootCACertificate: Buffer.from(ca) }),
      ...(serverName !== null && { serverNameOverride: serverName }),
      ...(certificate && {
        clientCertPair: { crt: Buffer.from(certificate.cert), key: Buffer.from(certificate.key) },
      }),
    },
    ...(apiKey !== null && { apiKey }),
  };
}

/** What to look at besides the address, where TLS or a key is in use; empty otherwise. */
export function securityHint(): string {
  const { tls, apiKey } = ofThisProcess;
  if (tls === null) return '; where it wants TLS, set WEIR_TEMPORAL_TLS=on';
  const key = apiKey === null ? '' : ', the API key';
  return `; if it runs, correct WEIR_TEMPORAL_CA_FILE, WEIR_TEMPORAL_CERT_FILE, WEIR_TEMPORAL_SERVER_NAME${key}`;
}
