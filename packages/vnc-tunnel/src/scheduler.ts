import { frameBuffers, type FrameBuffers, type OutgoingFrame } from './frame-buffers.js';
import type { FrameLink } from './frame-link.js';
import type { TunnelLimits } from './limits.js';

/** What takes turns. Each call is cheap and synchronous. */
export interface Sender {
  /** There is something that may be sent now. */
  readonly ready: boolean;
  /** The next DATA or END frame, at most `quantumBytes` of payload. */
  nextFrame(quantumBytes: number, buffers: FrameBuffers): OutgoingFrame | undefined;
  /** The CREDIT frame that is due, as of now. */
  creditFrame(): Uint8Array;
}

/**
 * Decides what goes into the link next: small frames first, then one frame of each ready stream in turn, until the
 * link holds `socketQueueBytes`; on from there when it has drained to half of that.
 *
 * States: `idle` (nothing scheduled) → `scheduled` (a round runs at the end of this synchronous run, so that what
 * happens in it goes out together) → `idle`, or `full` (until the link drains); `stopped` is final.
 */
export class Scheduler {
  #status: 'idle' | 'scheduled' | 'full' | 'stopped' = 'idle';
  readonly #link: FrameLink;
  readonly #limits: TunnelLimits;
  #control: Uint8Array[] = [];
  #controlBytes = 0;
  /** Streams that owe a CREDIT. The frame is made when it is sent, so that a full link collects one for each, not more. */
  readonly #credits = new Set<Sender>();
  /** Streams with something to send, in the order of their turns. */
  readonly #ring = new Set<Sender>();
  readonly #round = (): void => {
    if (this.#status === 'scheduled') this.#send();
  };
  readonly #onOverflow: () => void;

  /** @param onOverflow told that more small frames wait than `limits.controlQueueBytes`; it is to stop the scheduler */
  constructor(link: FrameLink, limits: TunnelLimits, onOverflow: () => void) {
    this.#link = link;
    this.#limits = limits;
    this.#onOverflow = onOverflow;
  }

  /** Bytes of small frames that wait for the link. */
  get controlBytes(): number {
    return this.#controlBytes;
  }

  /**
   * Queues a small frame that goes before all data.
   *
   * @returns whether it was taken: nothing is once the scheduler has stopped, nor what goes past the limit
   */
  control(frame: Uint8Array): boolean {
    if (this.#status === 'stopped') return false;
    if (this.#controlBytes + frame.length > this.#limits.controlQueueBytes) {
      this.#onOverflow();
      return false;
    }
    this.#control.push(frame);
    this.#controlBytes += frame.length;
    this.#schedule();
    return true;
  }

  /** The stream owes a CREDIT frame. */
  credit(sender: Sender): void {
    this.#credits.add(sender);
    this.#schedule();
  }

  /** The stream may have something to send. */
  ready(sender: Sender): void {
    if (!sender.ready) return;
    this.#ring.add(sender);
    this.#schedule();
  }

  /** The stream is over. */
  remove(sender: Sender): void {
    this.#ring.delete(sender);
    this.#credits.delete(sender);
  }

  /** The link's queue fell. */
  drained(): void {
    if (this.#status !== 'full' || this.#link.queuedBytes > this.#limits.socketQueueBytes / 2) return;
    this.#status = 'scheduled';
    this.#send();
  }

  /** Hands what is left of small frames and then `last` to the link, however full it is, and sends nothing more. */
  finish(last: readonly Uint8Array[]): void {
    if (this.#status === 'stopped') return;
    this.#link.cork?.();
    for (const frame of [...this.#control, ...last]) this.#link.send(frame);
    this.#link.uncork?.();
    this.stop();
  }

  /** Sends nothing more, and drops what waits: for a link that takes nothing any more. */
  stop(): void {
    this.#status = 'stopped';
    this.#control = [];
    this.#controlBytes = 0;
    this.#credits.clear();
    this.#ring.clear();
  }

  #schedule(): void {
    if (this.#status !== 'idle') return;
    this.#status = 'scheduled';
    queueMicrotask(this.#round);
  }

  #send(): void {
    this.#link.cork?.();
    const full = this.#sendControl() || this.#sendTurns();
    this.#link.uncork?.();
    this.#status = full ? 'full' : 'idle';
  }

  /** @returns whether the link is full and frames are left */
  #sendControl(): boolean {
    let sent = 0;
    for (const frame of this.#control) {
      if (this.#full) break;
      this.#link.send(frame);
      this.#controlBytes -= frame.length;
      sent++;
    }
    if (sent > 0) this.#control.splice(0, sent);
    for (const sender of this.#credits) {
      if (this.#full) break;
      this.#credits.delete(sender);
      this.#link.send(sender.creditFrame());
    }
    return this.#control.length > 0 || this.#credits.size > 0;
  }

  /** @returns whether the link is full and streams wait for a turn */
  #sendTurns(): boolean {
    // A stream that is still ready goes to the end of the set, where this same loop meets it again.
    for (const sender of this.#ring) {
      if (this.#full) return true;
      this.#ring.delete(sender);
      const frame = sender.nextFrame(this.#limits.quantumBytes, frameBuffers);
      if (frame) this.#link.send(frame.bytes, frame.release);
      if (sender.ready) this.#ring.add(sender);
    }
    return false;
  }

  get #full(): boolean {
    return this.#link.queuedBytes >= this.#limits.socketQueueBytes;
  }
}
