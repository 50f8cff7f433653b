import { randomBytes } from 'node:crypto';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { StreamViewer } from './platform-fixture.js';

const BYTES = 512;

/** For desktops that send back what they get, such as those of `memoryPlatform`. */
export async function echoViewer(channel: ByteChannel): Promise<StreamViewer> {
  return {
    async exchange() {
      const sent = randomBytes(BYTES);
      await channel.write(sent);
      const back = Buffer.alloc(BYTES);
      for (let at = 0; at < BYTES;) {
        const chunk = await channel.read();
        if (!chunk) throw new Error('the desktop has ended the stream');
        if (at + chunk.length > BYTES) throw new Error('more bytes came back than were sent');
        back.set(chunk, at);
        at += chunk.length;
      }
      if (!back.equals(sent)) throw new Error('other bytes came back than were sent');
    },
  };
}
