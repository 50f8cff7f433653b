import type { CloseCode } from '@streamspace/protocol';
import { TunnelError } from '../errors.js';
import type { FrameLink, FrameLinkListener } from '../frame-link.js';

export interface LinkPair {
  readonly a: FrameLink;
  readonly b: FrameLink;
  /** Stops or continues delivery in both directions: what is sent meanwhile stays in `queuedBytes`. */
  hold(held: boolean): void;
  /** Breaks the connection; what is on its way is lost. */
  cut(reason?: Error): void;
}

/** Two links in this process, each the other's far end. Frames are delivered in a later turn of the event loop. */
export function linkPair(): LinkPair {
  const a = new MemoryLink();
  const b = new MemoryLink();
  a.peer = b;
  b.peer = a;
  return {
    a,
    b,
    hold(held) {
      a.hold(held);
      b.hold(held);
    },
    cut(reason = new TunnelError('connection_lost', 'the link was cut')) {
      a.lose(reason);
      b.lose(reason);
    },
  };
}

class MemoryLink implements FrameLink {
  peer!: MemoryLink;
  queuedBytes = 0;
  #queue: Uint8Array[] = [];
  #listener: FrameLinkListener | undefined;
  #lost: Error | undefined;
  #held = false;
  #scheduled = false;

  send(bytes: Uint8Array): void {
    if (this.#lost) return;
    this.#queue.push(bytes);
    this.queuedBytes += bytes.length;
    this.#schedule();
  }

  listen(listener: FrameLinkListener): () => void {
    this.#listener = listener;
    const lost = this.#lost;
    if (lost) queueMicrotask(() => this.#tell(lost));
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
    };
  }

  close(code: CloseCode, reason: string): void {
    const error = new TunnelError('connection_lost', `closed with ${code} ${reason}`);
    queueMicrotask(() => {
      this.lose(error);
      this.peer.lose(error);
    });
  }

  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.#schedule();
  }

  lose(reason: Error): void {
    if (this.#lost) return;
    this.#lost = reason;
    this.#queue = [];
    this.queuedBytes = 0;
    this.#tell(reason);
  }

  #tell(reason: Error): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onClose(reason);
  }

  #schedule(): void {
    if (this.#scheduled || this.#held || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    if (this.#held || this.#lost) return;
    const frames = this.#queue;
    this.#queue = [];
    this.queuedBytes = 0;
    for (const frame of frames) this.peer.#listener?.onFrame(frame);
    this.#listener?.onDrain();
    this.#schedule();
  }
}
