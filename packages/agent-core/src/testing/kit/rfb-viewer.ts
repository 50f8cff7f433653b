import { connectRfb } from '@streamspace/rfb';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { StreamViewer } from '../platform-fixture.js';

const CORNER = { x: 0, y: 0, width: 1, height: 1 };

/** Asks the desktop for the colour of its first pixel, again and again. */
export async function rfbViewer(channel: ByteChannel): Promise<StreamViewer> {
  const client = await connectRfb(channel);
  return {
    async exchange() {
      await client.request(false, CORNER);
      await client.nextUpdate();
    },
  };
}
