import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type ByteChannel, connectUnix, PlatformError } from '@streamspace/agent-core';
import { identify, type ProcessId } from '../host/processes.js';
import type { Exit } from './unasked-end.js';

/** How often a starting server is asked whether it is ready, in ms. */
const ASK_EVERY_MS = 15;
const GREETING = 'RFB ';

/** The command of a server for one display that is reached by a Unix socket alone. */
export function xServerCommand(
  program: string,
  options: {
    display: number;
    authority: string;
    socket: string;
    name: string;
    screen: { width: number; height: number };
  },
): string[] {
  const { display, authority, socket, name, screen } = options;
  return [
    ...[program, `:${display}`, '-auth', authority, '-noreset'],
    // X clients use the socket in the file system: neither TCP nor the abstract socket, which has no file mode.
    ...['-nolisten', 'tcp', '-nolisten', 'local'],
    // Whoever reaches the socket is this user, so the server asks for nothing more.
    ...['-rfbport', '-1', '-rfbunixpath', socket, '-rfbunixmode', '0600', '-SecurityTypes', 'None'],
    // Every connection has the same address here: none may shut others out, nor end them by asking not to share.
    ...['-AlwaysShared', '-BlacklistThreshold', '1000000000'],
    ...['-geometry', `${screen.width}x${screen.height}`, '-depth', '24', '-desktop', name],
  ];
}

/**
 * Connects to a server's socket. Its queue is short, and full while the server is busy: that is waited for, for as long
 * as `busyMs`.
 *
 * @throws TunnelError `connect_failed`, or the signal's reason
 */
export async function connectToServer(
  socket: string,
  signal: AbortSignal,
  busyMs: number,
): Promise<ByteChannel> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await connectUnix({ path: socket, signal });
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || performance.now() - startedAt > busyMs) throw error;
    }
    await pause(ASK_EVERY_MS);
    signal.throwIfAborted();
  }
}

/** Whether an RFB server greets whoever connects, before the signal aborts. */
export async function greets(socket: string, signal: AbortSignal): Promise<boolean> {
  const channel = await connectToServer(socket, signal, Infinity).catch(() => undefined);
  if (!channel) return false;
  const cut = (): void => channel.abort();
  signal.addEventListener('abort', cut, { once: true });
  try {
    const bytes = await channel.read();
    return bytes !== null && Buffer.from(bytes).toString('latin1').startsWith(GREETING);
  } catch {
    return false;
  } finally {
    signal.removeEventListener('abort', cut);
    channel.abort();
  }
}

/**
 * Resolves with the server once it greets, or with `undefined` when it has ended before.
 *
 * @throws PlatformError `timeout`, or the signal's reason
 */
export async function untilReady(
  child: ChildProcess,
  socket: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProcessId | undefined> {
  const over = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    over.abort();
  }, timeoutMs);
  const ended = (): void => over.abort();
  child.once('exit', ended);
  const stop = AbortSignal.any([signal, over.signal]);
  try {
    for (;;) {
      signal.throwIfAborted();
      if (hasEnded(child)) return undefined;
      if (late) {
        const text = `the X server was not ready ${timeoutMs} ms after its start`;
        throw new PlatformError('timeout', text, true);
      }
      if (await greets(socket, stop)) return await identify(child.pid ?? 0);
      await pause(ASK_EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
    }
  } finally {
    clearTimeout(timer);
    child.off('exit', ended);
  }
}

/** How a child has ended, once it has. */
export async function exitOf(child: ChildProcess): Promise<Exit> {
  if (!hasEnded(child)) await once(child, 'exit');
  return exitNow(child);
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

export function exitNow({ exitCode, signalCode }: ChildProcess): Exit {
  return { code: exitCode, signal: signalCode };
}
