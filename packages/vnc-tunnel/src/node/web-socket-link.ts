import type { Socket } from 'node:net';
import { CLOSE, type CloseCode, closeReason } from '@streamspace/protocol';
import type { RawData, WebSocket } from 'ws';
import { TunnelError } from '../errors.js';
import type { FrameLink, FrameLinkListener } from '../frame-link.js';
import { asBytes, requireOpened } from './web-socket-message.js';

/**
 * A WebSocket as a tunnel's link: its binary messages are the frames, its text messages are left to others.
 *
 * The socket MUST be open, and stays the caller's, who also sees to `error` events other than through this link. It is
 * never paused: streams are held back by credit alone.
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
    this.ws.close(code, closeReason(reason));
  }
}

const FRAME = { binary: true, compress: false } as const;
