import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AgentHub } from '@streamspace/hub';
import { CLOSE, type StreamPolicy } from '@streamspace/protocol';
import { joinChannels, type ByteChannel } from '@streamspace/vnc-tunnel';
import { webSocketChannel } from '@streamspace/vnc-tunnel/node';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Ticket } from '../auth/ports.js';
import { Refusal } from '../domain/errors.js';
import type { SessionStore } from '../domain/ports.js';
import type { Session } from '../domain/session.js';
import type { SessionWaits } from '../domain/session-waits.js';
import { keepAlive } from './keep-alive.js';
import { isOriginAllowed } from './origin.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import type { Services } from './services.js';
import { closeWith, isUsualEnd, ViewerEnd, viewerEndOf } from './viewer-end.js';
import { watchChannel } from './watched-channel.js';

export interface ViewerEndpointOptions {
  services: Services;
  sessions: SessionStore;
  waits: SessionWaits;
  hub: AgentHub;
  allowedOrigins: ReadonlySet<string>;
  idleTimeoutMs: number;
  waitMs: number;
}

/** Largest message of a viewer, in bytes: key strokes and pasted text. Past it the connection is closed (1009). */
const MESSAGE_BYTES = 1024 * 1024;
/** Viewers of this replica at once; past it: close code 4429. */
const VIEWERS = 10_000;
/** How often a desktop is tried that is not there yet though its session is running, in ms. */
const RETRY_MS = 250;
/** Not there yet, or not there any more: the agent may be connecting, and its session being restored. */
const NOT_YET: readonly unknown[] = ['agent_not_connected', 'session_not_found'];

const POLICIES: Readonly<Record<Ticket['mode'], StreamPolicy>> = {
  control: { role: 'control', clipboard: 'both' },
  view: { role: 'view', clipboard: 'none' },
};

/**
 * Raw RFB over WebSockets for viewers.
 *
 * A viewer: ticket → waiting (for the session to run, and for its agent) → joined (bytes pass) → closed. Whatever ends
 * it closes the WebSocket with a code of `CLOSE` and a sentence.
 */
export class ViewerEndpoint {
  readonly #options: ViewerEndpointOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  });
  readonly #viewers = new Map<Promise<void>, AbortController>();
  #closing: Promise<void> | undefined;

  constructor(options: ViewerEndpointOptions) {
    this.#options = options;
  }

  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    sessionId: string,
    ticket: string | null,
  ): void {
    if (!isOriginAllowed(request, this.#options.allowedOrigins)) {
      const origin = String(request.headers.origin).slice(0, 200);
      refuseUpgrade(
        socket,
        new Refusal('origin_not_allowed', `Pages of ${origin} may not open viewers here.`),
      );
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      const stop = new AbortController();
      const viewer = this.#view(ws, sessionId, ticket, stop);
      this.#viewers.set(viewer, stop);
      void viewer.then(() => this.#viewers.delete(viewer));
    });
  }

  /** Never rejects. */
  async #view(ws: WebSocket, sessionId: string, ticket: string | null, stop: AbortController): Promise<void> {
    const channel = webSocketChannel(ws, {
      endWith: { code: CLOSE.normal, reason: 'The desktop has ended.' },
      abortWith: closeWith,
    });
    const fail = (error: unknown): void => {
      const end = viewerEndOf(error);
      stop.abort(end);
      channel.abort(end);
    };
    stop.signal.addEventListener('abort', () => channel.abort(stop.signal.reason as Error), { once: true });
    const gone = new Promise<void>((resolve) => ws.once('close', () => resolve()));
    void gone.then(() => stop.abort(new ViewerEnd(CLOSE.normal, 'The viewer has left.')));
    const stopPings = keepAlive(ws, () => ws.terminate());
    try {
      if (this.#closing) throw stopping();
      if (this.#viewers.size >= VIEWERS)
        throw new ViewerEnd(CLOSE.limitReached, 'This control plane has too many viewers.');
      await this.#serve(channel, fail, sessionId, ticket, stop.signal);
    } catch (error) {
      const end = viewerEndOf(error);
      fail(end);
      if (end.closeCode !== CLOSE.normal)
        this.#options.services.onEvent({
          type: 'viewer_refused',
          sessionId,
          code: end.closeCode,
          reason: end.message,
        });
      if (!isUsualEnd(error)) this.#options.services.onError(error, `a viewer of session ${sessionId}`);
    } finally {
      await channel.closed;
      stopPings();
    }
  }

  async #serve(
    channel: ByteChannel,
    fail: (error: unknown) => void,
    sessionId: string,
    ticket: string | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { services, idleTimeoutMs } = this.#options;
    const granted = await services.tickets.redeem(ticket, sessionId);
    const user = granted && (await services.users.find(granted.userId));
    if (!granted || !user)
      throw new ViewerEnd(CLOSE.unauthorized, 'The ticket is missing, was used already, or has expired.');
    const stream = await this.#open(sessionId, POLICIES[granted.mode], signal);
    const who = { sessionId, user: user.username, mode: granted.mode };
    const startedAt = performance.now();
    services.onEvent({ type: 'viewer_connected', ...who });
    const idle = (): void => {
      const end = new ViewerEnd(CLOSE.timeout, `Nothing happened for ${Math.round(idleTimeoutMs / 1000)} s.`);
      fail(end);
      stream.abort(end);
    };
    const watched = watchChannel(channel, idleTimeoutMs, idle);
    // The viewer may leave while nothing is being read or written for it.
    const abortStream = (): void => stream.abort(signal.reason as Error);
    signal.addEventListener('abort', abortStream, { once: true });
    if (signal.aborted) abortStream();
    const { error } = await joinChannels(watched, stream);
    watched.stop();
    const end: ViewerEnd = signal.aborted
      ? viewerEndOf(signal.reason)
      : error
        ? viewerEndOf(error)
        : new ViewerEnd(CLOSE.normal, 'The desktop has ended.');
    services.onEvent({
      type: 'viewer_disconnected',
      ...who,
      code: end.closeCode,
      reason: end.message,
      bytesToViewer: watched.bytesWritten,
      bytesFromViewer: watched.bytesRead,
      durationMs: Math.round(performance.now() - startedAt),
    });
  }

  /** Waits for the session to run, and for its desktop. */
  async #open(sessionId: string, policy: StreamPolicy, signal: AbortSignal): Promise<ByteChannel> {
    const { hub, waits, sessions, waitMs } = this.#options;
    const deadline = performance.now() + waitMs;
    for (;;) {
      const session = await waits.until(
        sessionId,
        () => sessions.find(sessionId),
        (found) => found?.state !== 'pending',
        { timeoutMs: deadline - performance.now(), signal },
      );
      const agentId = runningOn(session, waitMs);
      try {
        return await hub.openStream({ agentId, sessionId, policy, signal });
      } catch (error) {
        signal.throwIfAborted();
        const code = (error as { code?: unknown } | null)?.code;
        if (!NOT_YET.includes(code) || performance.now() + RETRY_MS >= deadline) throw error;
        await waits.change(sessionId, RETRY_MS, signal);
      }
    }
  }

  /** Ends every viewer with 1001; resolves when their sockets are down. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const stop of this.#viewers.values()) stop.abort(stopping());
      await Promise.all(this.#viewers.keys());
      this.#server.close();
    })();
    return this.#closing;
  }
}

const stopping = (): ViewerEnd =>
  new ViewerEnd(CLOSE.goingAway, 'The control plane is stopping. Connect again.');

/** @throws ViewerEnd when the session cannot be viewed */
function runningOn(session: Session | undefined, waitMs: number): string {
  if (!session) throw new ViewerEnd(CLOSE.notFound, 'This session does not exist.');
  switch (session.state) {
    case 'running':
      if (session.agentId !== null) return session.agentId;
      throw new ViewerEnd(CLOSE.upstreamUnavailable, 'The agent that ran this session was removed.');
    case 'pending':
      throw new ViewerEnd(CLOSE.timeout, `The session did not start within ${Math.round(waitMs / 1000)} s.`);
    case 'failed':
      throw new ViewerEnd(
        CLOSE.upstreamUnavailable,
        `The session failed: ${session.error?.message ?? 'unknown'}`,
      );
    case 'hibernated':
      throw new ViewerEnd(
        CLOSE.upstreamUnavailable,
        session.error ? `The session is hibernated: ${session.error.message}` : 'The session is hibernated.',
      );
    case 'terminating':
    case 'terminated':
      throw new ViewerEnd(CLOSE.notFound, 'The session has ended.');
  }
}
