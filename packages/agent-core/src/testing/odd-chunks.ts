import type { ByteChannel } from '@streamspace/vnc-tunnel';

/** Below, at and above what buffers like to hold; together more than 64 KiB. */
const SIZES = [1, 4_095, 3, 16_385, 4_097, 2, 65_537, 509] as const;

/** Cut to sizes that no buffer expects. */
export function oddChunks(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = SIZES[chunks.length % SIZES.length]!;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** The channel, but for each write, which is made of odd chunks. */
export function writingOddChunks(channel: ByteChannel): ByteChannel {
  return {
    closed: channel.closed,
    read: () => channel.read(),
    end: () => channel.end(),
    abort: (reason) => channel.abort(reason),
    async write(bytes) {
      for (const chunk of oddChunks(bytes)) await channel.write(chunk);
    },
  };
}
