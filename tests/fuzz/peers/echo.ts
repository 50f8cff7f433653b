import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { must, within } from '../target.js';

const ECHO_TIMEOUT_MS = 10_000;

/** Sends back what comes until the channel is over. Never rejects. */
export async function echo(channel: ByteChannel): Promise<void> {
  try {
    for (let chunk = await channel.read(); chunk; chunk = await channel.read())
      await channel.write(chunk.slice());
    await channel.end();
  } catch {
    // The stream was reset, as streams are here.
  }
}

/** Writes `bytes` and throws unless the far end sends them back. */
export async function expectEcho(channel: ByteChannel, bytes: Uint8Array): Promise<void> {
  const round = async (): Promise<void> => {
    const writing = channel.write(bytes);
    writing.catch(() => {});
    let received = 0;
    while (received < bytes.length) {
      const chunk = await channel.read();
      must(chunk !== null, `the echo ended after ${received} of ${bytes.length} bytes`);
      const expected = bytes.subarray(received, received + chunk.length);
      must(Buffer.from(chunk).equals(expected), `the echo differs somewhere from byte ${received} on`);
      received += chunk.length;
    }
    await writing;
  };
  await within(ECHO_TIMEOUT_MS, 'an echo', round());
}
