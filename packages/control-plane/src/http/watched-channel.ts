import type { ByteChannel } from '@streamspace/vnc-tunnel';

/** A viewer's channel that counts what passes, tells when nothing does, and lets its owner say how it ends. */
export interface WatchedChannel extends ByteChannel {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Stops the clock. */
  stop(): void;
}

export interface WatchOptions {
  /** 0 never calls `onIdle`. */
  idleTimeoutMs: number;
  onIdle: () => void;
  /**
   * The desktop's stream is over: in order, or by a failure. This is to end the channel; until it has, reads go on.
   * May be called more than once.
   */
  onOver: (reason?: Error) => Promise<void>;
}

/**
 * Calls `onIdle` once no byte was read or written for `idleTimeoutMs`. A byte that waits for a slow peer has not passed:
 * it counts when it was taken. `end` and `abort` do not reach the channel: they are `onOver`'s.
 */
export function watchChannel(channel: ByteChannel, options: WatchOptions): WatchedChannel {
  const { idleTimeoutMs, onIdle, onOver } = options;
  let bytesRead = 0;
  let bytesWritten = 0;
  let lastByte = performance.now();
  let timer: NodeJS.Timeout | undefined;
  // One timer that looks back, not one that every chunk sets anew.
  const arm = (ms: number): void => {
    timer = setTimeout(() => {
      const left = lastByte + idleTimeoutMs - performance.now();
      if (left > 0) arm(left);
      else onIdle();
    }, Math.ceil(ms));
    timer.unref();
  };
  if (idleTimeoutMs > 0) arm(idleTimeoutMs);
  return {
    get bytesRead() {
      return bytesRead;
    },
    get bytesWritten() {
      return bytesWritten;
    },
    async read() {
      const chunk = await channel.read();
      bytesRead += chunk?.length ?? 0;
      lastByte = performance.now();
      return chunk;
    },
    async write(bytes) {
      await channel.write(bytes);
      bytesWritten += bytes.length;
      lastByte = performance.now();
    },
    end: () => onOver(),
    abort: (reason) => void onOver(reason),
    closed: channel.closed,
    stop: () => clearTimeout(timer),
  };
}
