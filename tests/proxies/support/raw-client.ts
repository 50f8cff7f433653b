import { request as requestHttp, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';

const LIMIT_MS = 20_000;

/** Where requests go to, and how. */
export interface Target {
  /** Port of loopback. */
  readonly port: number;
  /** With it the request is HTTPS and the server's certificate is verified. PEM. */
  readonly authority?: string;
  /** Address of loopback that the connection comes from. @default 127.0.0.1 */
  readonly from?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/**
 * One HTTP/1.1 request on a connection of its own. Unlike `fetch` it comes from the wanted address, sends the wanted
 * Host and Origin, and follows no redirects.
 *
 * @param url its host is the Host header and the name that the certificate is verified for
 */
export function ask(
  target: Target,
  url: string,
  { method = 'GET', headers = {}, body }: Sent = {},
): Promise<Answer> {
  const { hostname, host, pathname, search } = new URL(url);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const options: RequestOptions & { ca?: string; servername?: string } = {
    method,
    host: '127.0.0.1',
    port: target.port,
    path: pathname + search,
    agent: false,
    timeout: LIMIT_MS,
    headers: { host, ...(text !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(target.from !== undefined && { localAddress: target.from }),
    ...(target.authority !== undefined && { ca: target.authority, servername: hostname }),
  };
  return new Promise((resolve, reject) => {
    const request = (target.authority === undefined ? requestHttp : requestHttps)(options, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (part: string) => (received += part));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }),
      );
    });
    request.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: '' });
    });
    request.once('timeout', () =>
      request.destroy(new Error(`${method} ${url}: no answer in ${LIMIT_MS} ms.`)),
    );
    request.once('error', reject);
    request.end(text);
  });
}

/** Sends bytes as they are to a port of loopback and resolves with everything that comes back until the server closes. */
export function askInBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let received = '';
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`No end of the answer in ${LIMIT_MS} ms.`)));
    socket.setEncoding('utf8').on('data', (part: string) => (received += part));
    socket.once('error', reject);
    socket.once('close', () => resolve(received));
  });
}

/** The code of a problem document; `undefined` where the body is none. */
export function codeOf(answer: { readonly text: string }): unknown {
  try {
    return (JSON.parse(answer.text) as { code?: unknown }).code;
  } catch {
    return undefined;
  }
}
