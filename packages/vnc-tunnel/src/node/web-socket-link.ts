import type { Socket } from 'node:net';
import { CLOSE, type CloseCode, closeReason } from '@streamspace/protocol';
import type { RawData, WebSocket } from 'ws';
import { TunnelError } from '../errors.js';
import type { FrameLink, FrameLinkListener } from '../frame-link.js';
import { asBytes, requireOpened } from './web-socket-message.js';

/** How long the far end may take to answer a close before the socket is cut, in ms; ws itself would wait for 30 s. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * A WebSocket as a tunnel's link: its binary messages are the frames, its text messages are left to others.
 *
 * The socket MUST be open, and stays the caller's, who MUST listen for its `error` events: this link does so only while
 * a tunnel listens to it. It is never paused: streams are held back by credit alone. Where the far end breaks the
 * protocol the tunnel closes the socket, which is cut if that takes more than 1 s.
 */
export function webSocketLink(ws: WebSocket): FrameLink {
  requireOpened(ws);
  return new WebSocketLink(ws);
}

class WebSocketLink implements FrameLink {
  #queuedBytes = 0;
  #listener: FrameLinkListener | undefined;

  constructor(private readonly ws: WebSocket) {}

  // Counted by the callbacks of `send`: `bufferedAmount` has what others sent as well, whose end nobody tells us of.
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  send(bytes: Uint8Array, release?: () => void): void {
    const size = bytes.length;
    this.#queuedBytes += size;
    this.ws.send(bytes, FRAME, () => {
      this.#queuedBytes -= size;
      release?.();
      this.#listener?.onDrain();
    });
  }

  cork(): void {
    this.#socket?.cork();
  }

  uncork(): void {
    this.#socket?.uncork();
  }

  /** Not part of ws's documented surface, so nothing but the number of system calls may depend on it. */
  get #socket(): Socket | null | undefined {
    return (this.ws as { _socket?: Socket | null })._socket;
  }

  listen(listener: FrameLinkListener): () => void {
    this.#listener = listener;
    let error: Error | undefined;
    const onMessage = (data: RawData, isBinary: boolean): void => {
      if (isBinary) listener.onFrame(asBytes(data));
    };
    const onError = (cause: Error): void => {
      error = cause;
    };
    const onClose = (code: number, reason: Uint8Array): void => {
      stop();
      listener.onClose(
        error ??
          new TunnelError(
            'connection_lost',
            `closed with ${code} ${new TextDecoder().decode(reason)}`.trim(),
          ),
      );
    };
    const stop = (): void => {
      this.#listener = undefined;
      this.ws.off('message', onMessage).off('close', onClose).off('error', onError);
    };
    if (this.ws.readyState === this.ws.CLOSED)
      queueMicrotask(() => onClose(CLOSE.goingAway, new Uint8Array()));
    else this.ws.on('message', onMessage).on('error', onError).on('close', onClose);
    return stop;
  }

  close(code: CloseCode, reason: string): void {
    const { ws } = this;
    ws.close(code, closeReason(reason));
    if (ws.readyState === ws.CLOSED) return;
    const cut = setTimeout(() => ws.terminate(), CLOSE_TIMEOUT_MS);
    ws.once('close', () => clearTimeout(cut));
  }
}

const FRAME = { binary: true, compress: false } as const;
