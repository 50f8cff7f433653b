import type { ByteChannel } from '@streamspace/vnc-tunnel';

/** A viewer's channel that counts what passes and ends itself when nothing does. */
export interface WatchedChannel extends ByteChannel {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Stops the clock. */
  stop(): void;
}

/**
 * Calls `onIdle` once no byte was read or written for `idleTimeoutMs`; 0 never does. A byte that waits for a slow peer
 * has not passed: it counts when it was taken.
 */
export function watchChannel(
  channel: ByteChannel,
  idleTimeoutMs: number,
  onIdle: () => void,
): WatchedChannel {
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
    end: () => channel.end(),
    abort: (reason) => channel.abort(reason),
    closed: channel.closed,
    stop: () => clearTimeout(timer),
  };
}
