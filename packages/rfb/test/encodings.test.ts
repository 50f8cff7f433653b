import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  connectRfb,
  Encoding,
  FenceFlag,
  NATIVE_PIXEL_FORMAT,
  serveRfb,
  writeClientFence,
  writeEnableContinuousUpdates,
  writeSetEncodings,
  type Framebuffer,
  type PixelFormat,
  type RfbClient,
  type ServerMessage,
} from '@streamspace/rfb';
import { channels, TestDesktop, until, type TestChannel } from './support.js';

const open: TestChannel[] = [];
afterEach(() => {
  for (const channel of open.splice(0)) channel.abort();
});

async function served(desktop: TestDesktop, encodings: readonly number[], pixelFormat?: PixelFormat) {
  const [ours, theirs] = channels();
  open.push(ours, theirs);
  const over = serveRfb(ours, desktop);
  const client = await connectRfb(theirs, { encodings, ...(pixelFormat ? { pixelFormat } : {}) });
  return { client, ours, theirs, over };
}

async function refresh(client: RfbClient): Promise<string[]> {
  await client.request(false);
  const { rectangles } = await client.nextUpdate();
  return rectangles.map(({ encoding }) => encoding);
}

/** Without a difference of thousands of lines. */
function expectSame(actual: Framebuffer, wanted: Framebuffer): void {
  expect([actual.width, actual.height]).toEqual([wanted.width, wanted.height]);
  expect(actual.pixels.findIndex((pixel, index) => pixel !== wanted.pixels[index])).toBe(-1);
}

describe('The first encoding that the viewer names and the server speaks is used', () => {
  it.each([
    [[Encoding.hextile, Encoding.raw], 'hextile'],
    [[7, 16, Encoding.hextile, Encoding.raw], 'hextile'],
    [[Encoding.raw, Encoding.hextile], 'raw'],
    [[7, 16], 'raw'],
    [[], 'raw'],
  ])('%j: %s', async (encodings, expected) => {
    const { client } = await served(new TestDesktop(20, 20), encodings);
    expect(await refresh(client)).toEqual([expected]);
  });
});

describe('Hextile', () => {
  const hextile = [Encoding.hextile];
  const formats: [string, PixelFormat][] = [
    ['32 bits', NATIVE_PIXEL_FORMAT],
    ['32 bits, big-endian', { ...NATIVE_PIXEL_FORMAT, bigEndian: true }],
    [
      '8 bits',
      {
        ...NATIVE_PIXEL_FORMAT,
        bitsPerPixel: 8,
        depth: 8,
        redMax: 7,
        greenMax: 7,
        blueMax: 3,
        redShift: 5,
        greenShift: 2,
      },
    ],
  ];

  it.each(formats)('shows whatever is on the screen: %s', async (_, format) => {
    const scene = fc.array(
      fc.record({
        x: fc.nat(39),
        y: fc.nat(36),
        width: fc.integer({ min: 1, max: 40 }),
        height: fc.integer({ min: 1, max: 37 }),
        // Few colours, which every format has.
        colour: fc.constantFrom(0, 0xff0000, 0xff00, 0xff, 0xffffff, 0xffff00),
      }),
      { maxLength: 25 },
    );
    const property = fc.asyncProperty(scene, async (parts) => {
      const desktop = new TestDesktop(40, 37);
      desktop.fill({ x: 0, y: 0, width: 40, height: 37 }, 0xff00ff);
      for (const { x, y, width, height, colour } of parts) {
        desktop.fill({ x, y, width: Math.min(width, 40 - x), height: Math.min(height, 37 - y) }, colour);
      }
      const { client, theirs } = await served(desktop, hextile, format);
      await refresh(client);
      expectSame(client.framebuffer, desktop.framebuffer);
      theirs.abort();
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('sends a tile of noise as it is', async () => {
    const desktop = new TestDesktop(70, 50);
    const { client, ours } = await served(desktop, hextile);
    const before = ours.written();
    await refresh(client);
    expectSame(client.framebuffer, desktop.framebuffer);
    // One byte more for each of 5 by 4 tiles.
    expect(ours.written() - before).toBe(4 + 12 + 70 * 50 * 4 + 20);
  });

  it('sends an empty screen of 1280 by 800 in a thousandth of its pixels', async () => {
    const desktop = new TestDesktop(1280, 800);
    desktop.fill({ x: 0, y: 0, width: 1280, height: 800 }, 0x336699);
    const { client, ours } = await served(desktop, hextile);
    const before = ours.written();
    await refresh(client);
    // A byte for each tile, and the colour once.
    expect(ours.written() - before).toBe(4 + 12 + 80 * 50 + 4);
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('sends black for what the desktop lost while the update was on its way', async () => {
    const desktop = new TestDesktop(300, 200);
    const { client, ours } = await served(desktop, [...hextile, Encoding.desktopSize]);
    await client.request(false);
    await until(() => ours.written() > 60_000);
    desktop.resize(100, 50);
    await client.nextUpdate();
    expect(client.framebuffer.pixels.at(-1)).toBe(0);
    await refresh(client);
    await refresh(client);
    expectSame(client.framebuffer, desktop.framebuffer);
  });
});

describe('Fences', () => {
  const payload = Uint8Array.of(1, 2, 3);

  it('are announced by one that asks for an answer, once', async () => {
    const { client, theirs } = await served(new TestDesktop(8, 8), [Encoding.fence]);
    expect(await client.nextNotice()).toEqual({
      type: 'serverFence',
      flags: FenceFlag.request,
      payload: new Uint8Array(0),
    });
    await theirs.write(writeSetEncodings([Encoding.fence]));
    await theirs.write(writeClientFence(0, new Uint8Array(0)));
    await theirs.write(writeClientFence(FenceFlag.request, payload));
    expect(await client.nextNotice()).toEqual({ type: 'serverFence', flags: 0, payload });
  });

  it('are answered with the flags that are known', async () => {
    const { client, theirs } = await served(new TestDesktop(8, 8), []);
    await theirs.write(writeClientFence(FenceFlag.request | 0x7f0 | 3, payload));
    expect(await client.nextNotice()).toMatchObject({ flags: FenceFlag.blockBefore | FenceFlag.blockAfter });
  });

  it('that synchronize the next message are answered after it', async () => {
    const { client, theirs } = await served(new TestDesktop(8, 8), []);
    const sync = FenceFlag.request | FenceFlag.syncNext;
    await theirs.write(writeClientFence(sync, Uint8Array.of(1)));
    await theirs.write(writeClientFence(FenceFlag.request, Uint8Array.of(2)));
    const heard: ServerMessage[] = [await client.nextNotice(), await client.nextNotice()];
    expect(heard).toMatchObject([
      { flags: 0, payload: Uint8Array.of(2) },
      { flags: FenceFlag.syncNext, payload: Uint8Array.of(1) },
    ]);
  });

  it('that nobody reads the answers of end the connection', async () => {
    const { theirs, over } = await served(new TestDesktop(8, 8), []);
    const fence = writeClientFence(FenceFlag.request, payload);
    await expect(
      (async () => {
        for (let count = 0; count < 100; count++) await theirs.write(fence);
      })(),
    ).rejects.toMatchObject({ code: 'limit_exceeded' });
    expect(await over).toMatchObject({ code: 'limit_exceeded' });
  });
});

describe('Continuous updates', () => {
  const whole = { x: 0, y: 0, width: 32, height: 32 };

  it('are announced, come without being asked for, and end when told to', async () => {
    const desktop = new TestDesktop(32, 32);
    const { client, theirs } = await served(desktop, [Encoding.continuousUpdates]);
    expect(await client.nextNotice()).toEqual({ type: 'endOfContinuousUpdates' });
    await theirs.write(writeEnableContinuousUpdates(true, whole));
    for (const colour of [1, 2, 3]) {
      await client.nextUpdate();
      desktop.fill({ x: 4, y: 4, width: 3, height: 3 }, colour);
    }
    await client.nextUpdate();
    expectSame(client.framebuffer, desktop.framebuffer);
    await theirs.write(writeEnableContinuousUpdates(false, whole));
    expect(await client.nextNotice()).toEqual({ type: 'endOfContinuousUpdates' });
    desktop.fill(whole, 9);
    desktop.tell((view) => view.bell());
    expect(await client.nextNotice()).toEqual({ type: 'bell' });
    expect(client.framebuffer.pixels.at(-1)).not.toBe(9);
  });

  it('are of their area, and make incremental requests needless', async () => {
    const desktop = new TestDesktop(200, 200);
    const { client, theirs, ours } = await served(desktop, []);
    await refresh(client);
    await theirs.write(writeEnableContinuousUpdates(true, { x: 0, y: 0, width: 100, height: 200 }));
    await client.request(true);
    const before = ours.written();
    desktop.fill({ x: 150, y: 150, width: 5, height: 5 }, 7);
    desktop.fill({ x: 2, y: 0, width: 5, height: 5 }, 8);
    expect((await client.nextUpdate()).rectangles).toMatchObject([{ x: 2, y: 0, width: 5, height: 5 }]);
    expect(ours.written() - before).toBe(4 + 12 + 100);
    await refresh(client);
    expectSame(client.framebuffer, desktop.framebuffer);
  });
});
