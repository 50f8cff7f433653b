import type { CloseCode } from '@streamspace/protocol';

/** What a link tells the tunnel on it. None of these throws. */
export interface FrameLinkListener {
  /** One binary message, in the order of sending. The link does not touch the bytes afterwards. */
  onFrame(bytes: Uint8Array): void;
  /** `queuedBytes` fell. */
  onDrain(): void;
  /** The connection is gone; nothing follows. Called once. */
  onClose(reason: Error): void;
}

/**
 * A message connection as the multiplexer sees it. The connection belongs to whoever made it: others may send
 * messages of their own on it, and a tunnel closes it only when the far end breaks the protocol beyond one stream.
 *
 * An implementation
 *
 * - MUST keep the order of frames and the borders between them;
 * - MUST NOT call the listener from within `send`, `cork`, `uncork` or `listen`;
 * - MUST call `onDrain` each time after `queuedBytes` fell, while the connection is there;
 * - MUST drop, and not throw, what is sent after the connection has gone.
 */
export interface FrameLink {
  /**
   * Sends one binary message.
   *
   * @param release to be called, not from within `send`, once nobody needs the bytes any more: the caller fills them
   *   anew. A link that passes them on by reference never calls it; until then the caller does not touch them
   */
  send(bytes: Uint8Array, release?: () => void): void;
  /** Bytes passed to `send` that are still in this process, not yet taken by the kernel. */
  readonly queuedBytes: number;
  /** What is sent until `uncork` may go out in one system call. Optional; never held beyond one synchronous run. */
  cork?(): void;
  uncork?(): void;
  /** Sets the one listener; where the connection has gone already it is told so. Returns how to stop listening. */
  listen(listener: FrameLinkListener): () => void;
  /** Closes the whole connection. */
  close(code: CloseCode, reason: string): void;
}
