import { randomBytes } from 'node:crypto';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { oddChunks } from './odd-chunks.js';
import type { StreamViewer } from './platform-fixture.js';

const BYTES = 512;
const MUCH = 200_003;

/** For desktops that send back what they get, such as those of `memoryPlatform`. */
export async function echoViewer(channel: ByteChannel): Promise<StreamViewer> {
  const write = async (chunks: readonly Uint8Array[]): Promise<void> => {
    for (const chunk of chunks) await channel.write(chunk);
  };
  const readBack = async (sent: Buffer): Promise<void> => {
    const back = Buffer.alloc(sent.length);
    for (let at = 0; at < sent.length;) {
      const chunk = await channel.read();
      if (!chunk) throw new Error('the desktop has ended the stream');
      if (at + chunk.length > sent.length) throw new Error('more bytes came back than were sent');
      back.set(chunk, at);
      at += chunk.length;
    }
    if (!back.equals(sent)) throw new Error('other bytes came back than were sent');
  };
  const exchange = async (sent: Buffer, chunks: readonly Uint8Array[]): Promise<void> => {
    // Whoever reads nothing before everything is written waits for room that nobody makes.
    await Promise.all([write(chunks), readBack(sent)]);
  };
  return {
    async exchange() {
      const sent = randomBytes(BYTES);
      await exchange(sent, [sent]);
    },
    async exchangeMuch() {
      const sent = randomBytes(MUCH);
      await exchange(sent, oddChunks(sent));
    },
  };
}
