import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { ByteChannel } from '../byte-channel.js';
import { TunnelError } from '../errors.js';
import { checkLimit, MAX_DELAY_MS } from '../limits.js';
import { SocketChannel } from './socket-channel.js';
import { SocketReads } from './socket-reads.js';

interface ConnectLimits {
  /** Gives up connecting; the call rejects with the signal's reason. Without effect once connected. */
  signal?: AbortSignal;
  /** How long connecting may take, in ms. Past it the call rejects with `connect_failed`. @default 5_000 */
  timeoutMs?: number;
}

export interface ConnectTcpOptions extends ConnectLimits {
  host: string;
  port: number;
}

export interface ConnectUnixOptions extends ConnectLimits {
  path: string;
}

/** @throws TunnelError `connect_failed`, or the signal's reason */
export function connectTcp({ host, port, ...limits }: ConnectTcpOptions): Promise<ByteChannel> {
  return dial({ host, port }, `${host}:${port}`, limits);
}

/** @throws TunnelError `connect_failed`, or the signal's reason */
export function connectUnix({ path, ...limits }: ConnectUnixOptions): Promise<ByteChannel> {
  return dial({ path }, path, limits);
}

async function dial(target: NetConnectOpts, name: string, limits: ConnectLimits): Promise<ByteChannel> {
  const { signal } = limits;
  const timeoutMs = checkLimit('timeoutMs', limits.timeoutMs ?? 5_000, MAX_DELAY_MS);
  signal?.throwIfAborted();
  let socket: Socket;
  const reads = new SocketReads();
  try {
    socket = connect({ ...target, allowHalfOpen: true, onread: reads.onread });
  } catch (cause) {
    // Node refuses an impossible port here and now.
    throw failed(name, cause);
  }
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('connect', onConnect);
    };
    const giveUp = (error: unknown): void => {
      settle();
      // What goes wrong with it from here on concerns nobody.
      socket.on('error', () => {}).destroy();
      reject(error as Error);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const onError = (cause: Error): void => giveUp(failed(name, cause));
    const onConnect = (): void => {
      settle();
      resolve(new SocketChannel(socket, reads));
    };
    const timer = setTimeout(
      () => giveUp(failed(name, new Error(`no connection within ${timeoutMs} ms`))),
      timeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError).on('connect', onConnect);
  });
}

function failed(name: string, cause: unknown): TunnelError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new TunnelError('connect_failed', `cannot connect to ${name}: ${detail}`, { cause });
}
