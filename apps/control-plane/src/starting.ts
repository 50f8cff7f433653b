import { ServerResponse, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';

/** When to ask again, in seconds. A start takes about that long, or ends with an error. */
const RETRY_SECONDS = 1;

const PROBLEM = JSON.stringify({
  type: 'about:blank',
  title: 'Starting',
  status: 503,
  detail: 'The control plane is starting and does not serve requests yet.',
  code: 'starting',
  remedy: 'Try again in a moment.',
});

const HEADERS = {
  'Content-Type': 'application/problem+json',
  'Content-Length': Buffer.byteLength(PROBLEM),
  'Retry-After': RETRY_SECONDS,
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
};

/**
 * Answers for the control plane until it is ready: it lives (`/health` is 200), and everything else is 503.
 *
 * starting --open--> open
 */
export class StartingGate {
  #listener: RequestListener | undefined;
  readonly #podName: string;
  readonly #health: ReadonlySet<string>;

  /** @param base the path that browsers see: `''` at the root; a proxy may strip it or not */
  constructor(podName: string, base = '') {
    this.#podName = podName;
    this.#health = new Set(['/health', `${base}/health`]);
  }

  /** For `createServer`. */
  readonly handle: RequestListener = (request, response) => {
    if (this.#listener) this.#listener(request, response);
    else this.#answer(request, response);
  };

  /** Refuses WebSocket upgrades on this server until it is open, and serves requests that offer another protocol. */
  guard(server: Server): void {
    server.on('upgrade', this.#upgrade);
  }

  /** From now on requests go to `listener`. Upgrades go to the server's other listeners, which are there already. */
  open(server: Server, listener: RequestListener): void {
    this.#listener = listener;
    server.off('upgrade', this.#upgrade);
  }

  readonly #upgrade = (request: IncomingMessage, socket: Socket): void => {
    if (/\bwebsocket\b/i.test(request.headers.upgrade ?? '')) refuse(socket);
    else this.#serve(request, socket);
  };

  /** Answers by HTTP/1.1, as RFC 9110 section 7.8 allows. Node has taken the connection out of its parser: it ends. */
  #serve(request: IncomingMessage, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end(() => socket.destroy()));
    this.#answer(request, response);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // A body that is not read would be taken for the next request.
    request.resume();
    const [path = ''] = (request.url ?? '/').split('?');
    if (this.#health.has(path)) {
      response
        .writeHead(200, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' })
        .end(JSON.stringify({ status: 'healthy', pod_name: this.#podName }));
    } else response.writeHead(503, HEADERS).end(PROBLEM);
  }
}

function refuse(socket: Socket): void {
  const lines = Object.entries({ ...HEADERS, Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('\r\n')}\r\n\r\n${PROBLEM}`, () =>
    socket.destroy(),
  );
}
