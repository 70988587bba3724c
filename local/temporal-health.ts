// Asks a Temporal server whether it answers, by the address alone: two gRPC calls written out over HTTP/2, because this
// folder starts servers and must not need the Temporal client.
import { connect } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, SecureClientSessionOptions } from 'node:http2';
import { isIP } from 'node:net';

import { messageOf } from '../pipeline/ensure.ts';
import { StackError } from './stack-error.ts';
import { securityHint, temporalSecurity } from './temporal-security.ts';
import type { TemporalTls } from './temporal-security.ts';

const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService';
const CALL_DEADLINE_MS = 5_000;
const NOT_FOUND = 5;

type GrpcAnswer = { readonly status: number; readonly message: string; readonly body: Buffer };

/** Whether the server answers and the namespace exists. */
export async function isTemporalReady(address: string, namespace: string): Promise<boolean> {
  return (await temporalState(address, namespace)) === 'ready';
}

/** What a server says about a namespace; `silent` when it does not answer or cannot tell yet. */
export async function temporalState(address: string, namespace: string): Promise<'ready' | 'no-namespace' | 'silent'> {
  try {
    const { status } = await call(address, 'DescribeNamespace', stringField(1, namespace));
    if (status === 0) return 'ready';
    return status === NOT_FOUND ? 'no-namespace' : 'silent';
  } catch {
    return 'silent';
  }
}

/** Throws StackError unless the Temporal at this address (WEIR_TEMPORAL_ADDRESS) answers and has the namespace. */
export async function checkTemporal(address: string, namespace: string): Promise<{ version: string }> {
  const remedy = 'start it, correct the address, or unset the variable to have Temporal started here';
  let answer: GrpcAnswer;
  try {
    answer = await call(address, 'DescribeNamespace', stringField(1, namespace));
  } catch (error) {
    throw new StackError(
      `Temporal at ${address} (WEIR_TEMPORAL_ADDRESS) does not answer: ${messageOf(error)}; ${remedy}${securityHint()}.`,
      { cause: error },
    );
  }
  if (answer.status === NOT_FOUND) {
    throw new StackError(
      `Temporal at ${address} has no namespace "${namespace}": create it with "temporal operator namespace create ${namespace}", or name another one.`,
    );
  }
  if (answer.status !== 0) {
    throw new StackError(`Temporal at ${address} (WEIR_TEMPORAL_ADDRESS) refuses: ${answer.message}; ${remedy}.`);
  }
  const info = await call(address, 'GetSystemInfo', Buffer.alloc(0));
  return { version: firstStringField(info.body) };
}

async function call(address: string, method: string, message: Buffer): Promise<GrpcAnswer> {
  const { tls, apiKey } = temporalSecurity();
  const session =
    tls === null ? connect(`http://${address}`) : connect(`https://${address}`, secureOptions(tls, address));
  try {
    return await callOn(session, {
      path: `${SERVICE}/${method}`,
      message,
      ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
    });
  } finally {
    session.destroy();
  }
}

type GrpcCall = { readonly path: string; readonly message: Buffer; readonly authorization?: string };

function secureOptions({ ca, certificate, serverName }: TemporalTls, address: string): SecureClientSessionOptions {
  const host = new URL(`https://${address}`).hostname.replaceAll(/[[\]]/g, '');
  // A name that is an address may not be sent; the certificate is held to it all the same.
  const servername = serverName ?? (isIP(host) === 0 ? host : '');
  return { ...(ca !== null && { ca }), ...certificate, servername };
}

function callOn(session: ClientHttp2Session, { path, message, authorization }: GrpcCall): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no answer within ${CALL_DEADLINE_MS / 1000} s`)),
      CALL_DEADLINE_MS,
    );
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      finish();
    };
    session.on('error', (error) => settle(() => reject(error)));
    const request = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(authorization !== undefined && { authorization }),
    });
    const chunks: Buffer[] = [];
    let status = '';
    let text = '';
    const readStatus = (headers: IncomingHttpHeaders): void => {
      const [code, words] = [headers['grpc-status'], headers['grpc-message']];
      if (typeof code === 'string') status = code;
      if (typeof words === 'string') text = decodeURIComponent(words);
    };
    request.on('response', readStatus);
    request.on('trailers', readStatus);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A stream only says that it was cancelled; why it was is in its cause.
    request.on('error', (error) => settle(() => reject(error.cause instanceof Error ? error.cause : error)));
    request.on('end', () => {
      settle(() => {
        if (status === '') reject(new Error('what listens there is no gRPC server'));
        // A gRPC frame: one byte for compression, four for the length, then the message.
        else resolve({ status: Number(status), message: text, body: Buffer.concat(chunks).subarray(5) });
      });
    });
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(message.length, 1);
    request.end(Buffer.concat([frame, message]));
  });
}

/** A protobuf string field shorter than 128 bytes. */
function stringField(fieldNumber: number, text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8').subarray(0, 127);
  return Buffer.concat([Buffer.from([fieldNumber * 8 + 2, bytes.length]), bytes]);
}

function firstStringField(body: Buffer): string {
  return body[0] === 10 ? body.subarray(2, 2 + (body[1] ?? 0)).toString('utf8') : 'unknown';
}
