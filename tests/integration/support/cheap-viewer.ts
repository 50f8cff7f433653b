import {
  Encoding,
  SecurityType,
  writeFramebufferUpdateRequest,
  writePointerEvent,
  writeSetEncodings,
  writeVersion,
} from '@streamspace/rfb';
import type { ByteChannel } from '@streamspace/vnc-tunnel';

/** A viewer that asks for pictures and counts their bytes without drawing them: many of them cost next to nothing. */
export interface CheapViewer {
  readonly width: number;
  readonly height: number;
  /** Bytes of pictures so far. */
  readonly bytes: number;
  /** Presses, drags and lets go. */
  stroke(x: number, y: number): Promise<void>;
  request(incremental: boolean): Promise<void>;
  /** Resolves when more than so many bytes of pictures have come. Rejects when the connection has failed. */
  more(than: number): Promise<void>;
  close(): Promise<void>;
}

export async function cheapViewer(channel: ByteChannel): Promise<CheapViewer> {
  let held = new Uint8Array(0);
  const exactly = async (count: number): Promise<Uint8Array> => {
    while (held.length < count) {
      const chunk = await channel.read();
      if (!chunk) throw new Error('the server has ended in the handshake');
      held = Uint8Array.from([...held, ...chunk]);
    }
    const taken = held.slice(0, count);
    held = held.slice(count);
    return taken;
  };
  await exactly(12);
  await channel.write(writeVersion(8));
  await exactly((await exactly(1))[0]!);
  await channel.write(Uint8Array.of(SecurityType.none));
  await exactly(4);
  await channel.write(Uint8Array.of(1));
  const init = new DataView((await exactly(24)).buffer);
  await exactly(init.getUint32(20));
  const [width, height] = [init.getUint16(0), init.getUint16(2)];
  await channel.write(writeSetEncodings([Encoding.hextile, Encoding.copyRect]));

  let bytes = held.length;
  let changed = (): void => undefined;
  let failure: unknown;
  const reading = (async () => {
    try {
      for (let chunk = await channel.read(); chunk; chunk = await channel.read()) {
        bytes += chunk.length;
        changed();
      }
    } catch (error) {
      failure = error;
    }
    failure ??= new Error('the server has ended');
    changed();
  })();

  return {
    width,
    height,
    get bytes() {
      return bytes;
    },
    async stroke(x, y) {
      await channel.write(writePointerEvent(1, x, y));
      await channel.write(writePointerEvent(1, x + 40, y + 30));
      await channel.write(writePointerEvent(0, x, y));
    },
    request: (incremental) =>
      channel.write(writeFramebufferUpdateRequest(incremental, { x: 0, y: 0, width, height })),
    async more(than) {
      while (bytes <= than) {
        if (failure) throw failure as Error;
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
    async close() {
      await channel.end();
      await reading;
    },
  };
}
