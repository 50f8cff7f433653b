import { CLOSE, closeReason } from '@streamspace/protocol';
import type { RawData, WebSocket } from 'ws';
import type { ByteChannel } from '../byte-channel.js';
import { deferred } from '../deferred.js';
import { TunnelError } from '../errors.js';
import { InboundQueue } from '../inbound-queue.js';
import { checkLimit, MAX_DELAY_MS } from '../limits.js';
import { UNREAD_BYTES } from './unread-bytes.js';
import { asBytes, requireOpened } from './web-socket-message.js';

/** A WebSocket close code and reason; the reason is cut to 123 bytes. */
export interface CloseWith {
  readonly code: number;
  readonly reason?: string;
}

export interface WebSocketChannelOptions {
  /** What `end` closes with. @default {code: 1000} */
  endWith?: CloseWith;
  /** What `abort` closes with; where it throws, the default. @default 4502 upstreamUnavailable with the reason's message */
  abortWith?: (reason: Error) => CloseWith;
  /** How long an aborted socket may take for the closing handshake before it is cut, in ms. @default 1_000 */
  abortTimeoutMs?: number;
}

/** Close codes after which the far end has ended in order: normal, going away (a closed tab), no code at all. */
const ORDERLY: ReadonlySet<number> = new Set([1000, 1001, 1005]);
/** RFC 6455: a kind of message that this end does not take. */
const UNSUPPORTED_DATA = 1003;
const ABORT_WITH = (reason: Error): CloseWith => ({
  code: CLOSE.upstreamUnavailable,
  reason: reason.message,
});
const BINARY = { binary: true, compress: false } as const;

/**
 * An open WebSocket of raw binary messages as a channel, for stock noVNC and websockify clients. It owns the socket.
 *
 * A slow reader pauses the socket at 128 KiB unread (beyond it come only messages of the chunk just read, so set
 * `maxPayload`). A WebSocket has no half-close: after `end` the far end answers the close, and with it reading ends
 * too. A text message fails the channel with `protocol_error` and close code 1003.
 */
export function webSocketChannel(ws: WebSocket, options: WebSocketChannelOptions = {}): ByteChannel {
  requireOpened(ws);
  return new WebSocketChannel(ws, {
    endWith: options.endWith ?? { code: CLOSE.normal },
    abortWith: options.abortWith ?? ABORT_WITH,
    abortTimeoutMs: checkLimit('abortTimeoutMs', options.abortTimeoutMs ?? 1_000, MAX_DELAY_MS),
  });
}

/**
 * States: `open` → `ending` (close was sent by `end`) or `aborted` (by `abort`, waiting for the socket to go) →
 * `closed` (the socket is down).
 */
class WebSocketChannel implements ByteChannel {
  #status: 'open' | 'ending' | 'aborted' | 'closed' = 'open';
  readonly #inbound = new InboundQueue(() => this.#resume());
  readonly #closed = deferred<Error | undefined>();
  readonly #ended = deferred<void>();
  readonly #writes = new Set<(error: Error) => void>();
  #error: Error | undefined;
  #cutTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly ws: WebSocket,
    private readonly options: Required<WebSocketChannelOptions>,
  ) {
    ws.on('message', (data: RawData, isBinary: boolean) => this.#onMessage(data, isBinary));
    ws.on('error', (cause: Error) => {
      this.#error ??= new TunnelError('connection_lost', `the WebSocket failed: ${cause.message}`, { cause });
    });
    ws.on('close', (code: number, reason: Uint8Array) => this.#onClose(code, reason));
    if (ws.readyState === ws.CLOSED) this.#onClose(1006, new Uint8Array());
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbound.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#status !== 'open')
      return Promise.reject(this.#error ?? new TunnelError('closed', 'nothing can be written after end()'));
    return new Promise((resolve, reject) => {
      // ws forgets its callbacks in some ways of dying, so that close rejects what is left.
      this.#writes.add(reject);
      this.ws.send(bytes, BINARY, (cause) => {
        // It answers a close: whether that is an end or a failure is known when it has closed, which rejects this.
        if (cause && this.ws.readyState === this.ws.CLOSING && this.#status === 'open')
          return this.#cutSoon();
        this.#writes.delete(reject);
        if (cause) reject(this.#error ?? new TunnelError('connection_lost', cause.message, { cause }));
        else resolve();
      });
    });
  }

  end(): Promise<void> {
    if (this.#status === 'open') {
      this.#status = 'ending';
      this.ws.close(this.options.endWith.code, closeReason(this.options.endWith.reason ?? ''));
      this.#ended.resolve();
    }
    return this.#ended.promise;
  }

  abort(reason?: Error): void {
    if (this.#status === 'aborted' || this.#status === 'closed') return;
    const error = this.#error ?? reason ?? new TunnelError('cancelled', 'the channel was aborted here');
    const { code, reason: text } = this.#abortWith(error);
    this.#abort(error, code, text);
  }

  #abortWith(error: Error): CloseWith {
    try {
      return this.options.abortWith(error);
    } catch {
      return ABORT_WITH(error);
    }
  }

  #abort(error: Error, code: number, text = ''): void {
    this.#status = 'aborted';
    this.#error = error;
    this.#settle(error);
    this.ws.close(code, closeReason(text));
    // The far end's answer is behind what it sent before: let it through, the queue drops it.
    this.ws.resume();
    this.#cutSoon();
  }

  /** Nothing more is to come of the socket but its end, which the far end may leave out. */
  #cutSoon(): void {
    this.#cutTimer ??= setTimeout(() => this.ws.terminate(), this.options.abortTimeoutMs);
  }

  #settle(error: Error): void {
    this.#inbound.fail(error);
    for (const reject of this.#writes) reject(error);
    this.#writes.clear();
    this.#ended.promise.catch(() => {});
    this.#ended.reject(error);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#status === 'aborted') return;
    if (!isBinary) {
      const text = 'only binary messages are taken here, and a text message came';
      this.#abort(new TunnelError('protocol_error', text), UNSUPPORTED_DATA, text);
      return;
    }
    this.#inbound.push(asBytes(data));
    if (this.#inbound.queuedBytes >= UNREAD_BYTES) this.ws.pause();
  }

  #resume(): void {
    if (this.ws.isPaused && this.#inbound.queuedBytes <= UNREAD_BYTES / 2) this.ws.resume();
  }

  #onClose(code: number, reason: Uint8Array): void {
    clearTimeout(this.#cutTimer);
    const text = new TextDecoder().decode(reason);
    if (!ORDERLY.has(code) && this.#status !== 'ending')
      this.#error ??= new TunnelError('connection_lost', `the WebSocket closed with ${code} ${text}`.trim());
    const error = this.#error;
    this.#status = 'closed';
    if (error) this.#settle(error);
    else {
      this.#inbound.end();
      for (const reject of this.#writes) reject(new TunnelError('connection_lost', 'the far end has closed'));
      this.#writes.clear();
      this.#ended.resolve();
    }
    this.#closed.resolve(error);
  }
}
