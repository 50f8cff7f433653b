import { connectRfb } from '@streamspace/rfb';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { writingOddChunks } from '../odd-chunks.js';
import type { StreamViewer } from '../platform-fixture.js';

const CORNER = { x: 0, y: 0, width: 1, height: 1 };
/** More than 64 KiB, and less than servers take from a clipboard (TigerVNC: 256 KiB). */
const CLIPBOARD_CHARS = 100_000;

/** Asks the desktop for the colour of its first pixel, again and again. */
export async function rfbViewer(channel: ByteChannel): Promise<StreamViewer> {
  const client = await connectRfb(writingOddChunks(channel));
  const exchange = async (): Promise<void> => {
    await client.request(false, CORNER);
    await client.nextUpdate();
  };
  return {
    exchange,
    // Raw is what the client prefers: the whole desktop is megabytes. What a server finds of a message that lost bytes
    // on its way is no message, and neither is what follows: no update would come.
    async exchangeMuch() {
      await client.sendCutText('x'.repeat(CLIPBOARD_CHARS));
      await client.request(false);
      await client.nextUpdate();
      await exchange();
    },
  };
}
