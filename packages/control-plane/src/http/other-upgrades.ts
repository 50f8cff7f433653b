import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const tokensOf = (header: string | undefined): string[] =>
  (header ?? '').split(',').flatMap((token) => token.trim().toLowerCase() || []);

/** Whether an upgrade asks for a WebSocket, and not for HTTP/2 or something else. */
export const asksForWebSocket = ({ headers }: IncomingMessage): boolean =>
  tokensOf(headers.upgrade).includes('websocket');

/** A server of Node 22.21, 24.9 or later, which asks for each request whether it is an upgrade. */
interface AskingServer {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/** Requests that were answered, for the case that several listeners of one server see them. */
const SERVED = new WeakSet<IncomingMessage>();

/**
 * Has a server answer requests by HTTP/1.1 whose upgrade nothing here knows, as RFC 9110 section 7.8 allows and clients
 * that offer `h2c` expect. Node takes every request with an Upgrade out of its parser once the server has a listener
 * for upgrades.
 */
export class OtherUpgrades {
  readonly #server: Server;
  /** The last response of each connection: a client may send its next request before that is over. */
  readonly #responses = new WeakMap<Duplex, ServerResponse>();
  readonly #undo: () => void;

  /** @param isOurs whether to answer such a request here, and leave it to no other listener */
  constructor(server: Server, isOurs: (request: IncomingMessage) => boolean) {
    this.#server = server;
    const asking = server as AskingServer;
    const before = asking.shouldUpgradeCallback;
    if (typeof before === 'function') {
      let isClosed = false;
      const callback = (request: IncomingMessage): boolean =>
        before.call(server, request) && (isClosed || asksForWebSocket(request) || !isOurs(request));
      asking.shouldUpgradeCallback = callback;
      this.#undo = () => {
        // A later one may hold this callback and call it.
        isClosed = true;
        if (asking.shouldUpgradeCallback === callback) asking.shouldUpgradeCallback = before;
      };
    } else {
      const note = (request: IncomingMessage, response: ServerResponse): void =>
        void this.#responses.set(request.socket, response);
      server.on('request', note);
      this.#undo = () => server.off('request', note);
    }
  }

  /** Answers a request that has reached the listener for upgrades: where Node is too old to be asked before. */
  serve(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (SERVED.has(request)) return;
    SERVED.add(request);
    const response = this.#responses.get(socket);
    const isOver = !response || response.writableFinished || response.destroyed;
    if (isOver) putBack(this.#server, request, socket, head);
    else response.once('close', () => putBack(this.#server, request, socket, head));
  }

  close(): void {
    this.#undo();
  }
}

/** Puts a request in front of what follows it, without its Upgrade, and gives the connection to the server again. */
function putBack(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (socket.destroyed) return;
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (!OF_THE_UPGRADE.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[at + 1]!}`);
  }
  const connection = tokensOf(request.headers.connection).filter((token) => !OF_THE_UPGRADE.has(token));
  if (connection.length > 0) lines.push(`Connection: ${connection.join(', ')}`);
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(isEncrypted(socket) ? 'secureConnection' : 'connection', socket);
}

const OF_THE_UPGRADE: ReadonlySet<string> = new Set(['connection', 'upgrade', 'http2-settings']);

const isEncrypted = (socket: Duplex): boolean => (socket as { encrypted?: unknown }).encrypted === true;
