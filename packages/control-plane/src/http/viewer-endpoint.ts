import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE, type StreamPolicy } from '@streamspace/protocol';
import { joinChannels, type ByteChannel } from '@streamspace/vnc-tunnel';
import { WebSocketServer } from 'ws';
import type { Ticket } from '../auth/ports.js';
import { isDnsLabel } from '../domain/session.js';
import { Desktops, type DesktopsOptions } from './desktops.js';
import type { KeepAliveOptions } from './keep-alive.js';
import { problemOf } from './problem.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import type { Services } from './services.js';
import { ViewerConnection } from './viewer-connection.js';
import { ViewerCounts, type ViewerCounters } from './viewer-counters.js';
import { inWords, isUsualEnd, ViewerEnd, viewerEndOf } from './viewer-end.js';
import { ViewerSeats } from './viewer-seats.js';
import { watchChannel } from './watched-channel.js';

export interface ViewerEndpointOptions extends DesktopsOptions {
  services: Services;
  idleTimeoutMs: number;
  viewersPerSession: number;
}

/** Largest message of a viewer, in bytes: key strokes and pasted text. Past it the connection is closed (1009). */
const MESSAGE_BYTES = 1024 * 1024;
/** Viewers of this replica at once; past it: close code 4429. */
const VIEWERS = 10_000;
const KEEP_ALIVE: KeepAliveOptions = { pingIntervalMs: 20_000, stalledMs: 120_000 };

const POLICIES: Readonly<Record<Ticket['mode'], StreamPolicy>> = {
  control: { role: 'control', clipboard: 'both' },
  view: { role: 'view', clipboard: 'none' },
};

/** What of an address may stand in logs: anybody may send anything. */
const namedSession = (sessionId: string): string | undefined =>
  isDnsLabel(sessionId) ? sessionId : undefined;

/**
 * Raw RFB over WebSockets for viewers.
 *
 * A viewer: ticket → waiting (for the session to run, and for its agent) → joined (bytes pass) → closed. Whatever ends
 * it closes the WebSocket with a code of `CLOSE` or `VIEWER_CLOSE` and a sentence.
 */
export class ViewerEndpoint {
  readonly #options: ViewerEndpointOptions;
  readonly #desktops: Desktops;
  readonly #seats: ViewerSeats;
  readonly #counts = new ViewerCounts();
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  });
  readonly #viewers = new Map<Promise<void>, ViewerConnection>();
  /** Of viewers that are joined, or have left a moment ago. */
  readonly #streams = new Set<ByteChannel>();
  #closing: Promise<void> | undefined;

  constructor(options: ViewerEndpointOptions) {
    this.#options = options;
    this.#desktops = new Desktops(options);
    this.#seats = new ViewerSeats(options.viewersPerSession);
  }

  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    sessionId: string,
    ticket: string | null,
  ): void {
    const { site } = this.#options.services;
    const { address } = site.clientOf(request);
    const refusal = site.hostRefusal(request, request.url ?? '/') ?? site.originRefusal(request);
    if (refusal) {
      refuseUpgrade(socket, refusal);
      const { status } = problemOf(refusal);
      this.#refused({ sessionId, address }, status, [refusal.message, refusal.remedy].join(' ').trim());
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      const connection = new ViewerConnection(ws, KEEP_ALIVE);
      const viewer = this.#view(connection, { sessionId, address }, ticket);
      this.#viewers.set(viewer, connection);
      void viewer.then(() => this.#viewers.delete(viewer));
    });
  }

  /** What was counted since the control plane was made. */
  counters(): ViewerCounters {
    return this.#counts.snapshot(this.#viewers.size);
  }

  #refused({ sessionId, address }: Asked, code: number, reason: string): void {
    this.#counts.refused(code);
    this.#options.services.onEvent({
      type: 'viewer_refused',
      sessionId: namedSession(sessionId),
      ...(address !== undefined && { address }),
      code,
      reason,
    });
  }

  /** Never rejects. */
  async #view(viewer: ViewerConnection, asked: Asked, ticket: string | null): Promise<void> {
    const { sessionId } = asked;
    try {
      if (this.#closing) throw stopping();
      if (this.#viewers.size >= VIEWERS)
        throw new ViewerEnd(CLOSE.limitReached, 'This control plane has too many viewers.');
      const { who, policy } = await this.#admit(viewer, asked, ticket);
      const stream = await this.#desktops.open(sessionId, policy, viewer.signal);
      await this.#join(viewer, stream, who);
    } catch (error) {
      viewer.end(error);
      // What ended the viewer first is what it was told.
      const end = viewerEndOf(viewer.signal.reason);
      if (!end.hasLeft) this.#refused(asked, end.closeCode, end.message);
      if (!isUsualEnd(error))
        this.#options.services.onError(error, `a viewer of session ${namedSession(sessionId) ?? '(no id)'}`);
    } finally {
      await viewer.gone;
    }
  }

  /** Spends the ticket and takes a seat. @throws ViewerEnd */
  async #admit(
    viewer: ViewerConnection,
    { sessionId, address }: Asked,
    ticket: string | null,
  ): Promise<{ who: Who; policy: StreamPolicy }> {
    const { services } = this.#options;
    const granted = await services.tickets.redeem(ticket, sessionId);
    const user = granted && (await services.users.find(granted.userId));
    if (!granted || !user)
      throw new ViewerEnd(CLOSE.unauthorized, 'The ticket is missing, was used already, or has expired.');
    const leave = this.#seats.take(sessionId);
    void viewer.gone.then(leave);
    const { mode } = granted;
    const who: Who = { sessionId, user: user.username, mode, ...(address !== undefined && { address }) };
    return { who, policy: POLICIES[mode] };
  }

  /** Passes bytes until either side is over. Never rejects. */
  async #join(viewer: ViewerConnection, stream: ByteChannel, who: Who): Promise<void> {
    const { services, idleTimeoutMs } = this.#options;
    const { signal } = viewer;
    const startedAt = performance.now();
    this.#counts.opened();
    services.onEvent({ type: 'viewer_connected', ...who });
    let ending: Promise<void> | undefined;
    const over = (reason?: Error): Promise<void> => {
      // The end already has its reason. Silence while the reason is looked up must not replace it.
      watched.stop();
      return (ending ??= this.#desktops.endOf(who.sessionId, reason, signal).then((end) => viewer.end(end)));
    };
    const watched = watchChannel(viewer.channel, {
      idleTimeoutMs,
      onIdle: () =>
        viewer.end(
          new ViewerEnd(
            CLOSE.timeout,
            `Nothing happened for ${inWords(idleTimeoutMs)}. Connect again to go on.`,
          ),
        ),
      onOver: over,
    });
    viewer.countWith(() => watched.bytesRead + watched.bytesWritten);
    // A viewer that has closed in order is not to lose what it sent last: then the join ends the stream.
    const abortStream = (): void => {
      const end = viewerEndOf(signal.reason);
      if (end.closeCode !== CLOSE.normal) stream.abort(end);
    };
    signal.addEventListener('abort', abortStream, { once: true });
    if (signal.aborted) abortStream();
    this.#streams.add(stream);
    const { error } = await joinChannels(watched, stream);
    this.#streams.delete(stream);
    await over(error);
    const end = viewerEndOf(signal.reason);
    this.#counts.ended(end.closeCode);
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

  /** Ends every viewer with 1001; resolves when their sockets are down. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const viewer of this.#viewers.values()) viewer.end(stopping());
      // Of those that have left: what they sent last is not waited for any more.
      for (const stream of this.#streams) stream.abort(stopping());
      await Promise.all(this.#viewers.keys());
      this.#server.close();
    })();
    return this.#closing;
  }
}

/** What a viewer asks for, and from where. */
interface Asked {
  readonly sessionId: string;
  readonly address: string | undefined;
}

interface Who {
  readonly sessionId: string;
  readonly address?: string;
  readonly user: string;
  readonly mode: Ticket['mode'];
}

const stopping = (): ViewerEnd =>
  new ViewerEnd(CLOSE.goingAway, 'The control plane is stopping. Connect again.');
