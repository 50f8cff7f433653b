import { afterEach, describe, expect, it } from 'vitest';
import {
  connectRfb,
  type Framebuffer,
  Encoding,
  NATIVE_PIXEL_FORMAT,
  type PixelFormat,
  RfbError,
  serveRfb,
  writeSetPixelFormat,
  type ConnectRfbOptions,
  type RfbClient,
  type ServeRfbOptions,
} from '@streamspace/rfb';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { channels, concat, noise, TestDesktop, type TestChannel, until } from './support.js';

interface Served {
  readonly client: RfbClient;
  readonly ours: TestChannel;
  readonly theirs: TestChannel;
  readonly over: Promise<Error | undefined>;
}

const open: TestChannel[] = [];
afterEach(() => {
  for (const channel of open.splice(0)) channel.abort();
});

async function served(
  desktop: TestDesktop,
  client: ConnectRfbOptions = {},
  server: ServeRfbOptions = {},
): Promise<Served> {
  const [ours, theirs] = channels();
  open.push(ours, theirs);
  const over = serveRfb(ours, desktop, server);
  return { client: await connectRfb(theirs, client), ours, theirs, over };
}

const raw: readonly number[] = [Encoding.raw];

describe('A viewer of a served desktop', () => {
  it('is told name and size, and gets the whole picture', async () => {
    const desktop = new TestDesktop(200, 150);
    const { client } = await served(desktop);
    await client.request(false);
    await client.nextUpdate();
    expect(client.name).toBe('test desktop');
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('gets the whole picture even where its first request is incremental', async () => {
    const desktop = new TestDesktop(64, 48);
    const { client } = await served(desktop, { encodings: raw });
    await client.request(true);
    await client.nextUpdate();
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('is answered when something changes, and only with what changed', async () => {
    const desktop = new TestDesktop(200, 150);
    const { client, ours } = await served(desktop, { encodings: raw });
    await client.request(false);
    await client.nextUpdate();
    const before = ours.written();
    await client.request(true);
    await client.pointer(0, 1, 1);
    await until(() => desktop.events.length > 0);
    expect(ours.written()).toBe(before);

    desktop.fill({ x: 10, y: 20, width: 5, height: 4 }, 0x123456);
    const { rectangles } = await client.nextUpdate();
    expect(rectangles).toMatchObject([{ x: 10, y: 20, width: 5, height: 4, encoding: 'raw' }]);
    expectSame(client.framebuffer, desktop.framebuffer);
    expect(ours.written() - before).toBe(4 + 12 + 5 * 4 * 4);
  });

  it('gets the part that it asks for, and the rest when it asks for that', async () => {
    const desktop = new TestDesktop(100, 80);
    const { client } = await served(desktop, { encodings: raw });
    await client.request(true, { x: 0, y: 0, width: 50, height: 80 });
    const first = await client.nextUpdate();
    expect(first.rectangles).toMatchObject([{ x: 0, y: 0, width: 50, height: 80 }]);
    await client.request(true);
    const second = await client.nextUpdate();
    expect(second.rectangles).toMatchObject([{ x: 50, y: 0, width: 50, height: 80 }]);
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('moves pixels that it already has', async () => {
    const desktop = new TestDesktop(120, 90);
    const { client, ours } = await served(desktop);
    await client.request(false);
    await client.nextUpdate();
    const before = ours.written();
    desktop.move({ x: 10, y: 0, width: 80, height: 60 }, 10, 20);
    desktop.fill({ x: 10, y: 60, width: 80, height: 20 }, 0xffffff);
    await client.request(true);
    const { rectangles } = await client.nextUpdate();
    expect(rectangles.map((rect) => rect.encoding)).toEqual(['copyRect', 'raw']);
    expectSame(client.framebuffer, desktop.framebuffer);
    expect(ours.written() - before).toBeLessThan(80 * 60 * 4);
  });

  it('sees the same as the desktop whatever moves over what was drawn', async () => {
    const desktop = new TestDesktop(64, 64);
    const { client } = await served(desktop);
    await client.request(false);
    await client.nextUpdate();
    let seed = 1;
    const pick = (below: number): number => (seed = (Math.imul(seed, 48271) >>> 0) % 0x7fffffff) % below;
    for (let round = 0; round < 200; round++) {
      await client.request(true);
      for (let step = 0; step <= pick(14); step++) {
        const width = 1 + pick(30);
        const height = 1 + pick(30);
        const [x, y] = [pick(64 - width), pick(64 - height)];
        if (pick(2)) desktop.fill({ x, y, width, height }, pick(0xffffff));
        else desktop.move({ x, y, width, height }, pick(64 - width), pick(64 - height));
        // Some changes come while an update is on its way.
        for (let turn = pick(6); turn > 3; turn--) await Promise.resolve();
      }
      await client.nextUpdate();
      while (!equal(client.framebuffer.pixels, desktop.framebuffer.pixels)) {
        await client.request(true);
        await client.nextUpdate();
      }
    }
  });

  it('that cannot move pixels gets them anew', async () => {
    const desktop = new TestDesktop(64, 64);
    const { client } = await served(desktop, { encodings: raw });
    await client.request(false);
    await client.nextUpdate();
    desktop.move({ x: 0, y: 0, width: 64, height: 32 }, 0, 32);
    await client.request(true);
    expect((await client.nextUpdate()).rectangles).toMatchObject([{ encoding: 'raw', height: 32 }]);
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('gets the pointer shape, and the next one', async () => {
    const desktop = new TestDesktop(32, 32);
    const shape = (colour: number) => ({
      width: 11,
      height: 3,
      hotX: 2,
      hotY: 1,
      pixels: new Uint32Array(33).fill(colour),
      mask: Uint8Array.from({ length: 33 }, (_, index) => (index % 3 === 0 ? 1 : 0)),
    });
    desktop.cursor = shape(0xaa5500);
    const { client } = await served(desktop);
    await client.request(true);
    await client.nextUpdate();
    expect(client.cursor).toEqual(shape(0xaa5500));
    desktop.cursor = shape(0x0055aa);
    desktop.tell((view) => view.cursorChanged());
    await client.request(true);
    expect((await client.nextUpdate()).rectangles).toHaveLength(1);
    expect(client.cursor).toEqual(shape(0x0055aa));
  });

  it.each<[string, readonly number[]]>([
    ['plain', [Encoding.raw, Encoding.desktopSize]],
    ['extended', [Encoding.raw, Encoding.extendedDesktopSize]],
  ])('follows a change of size in its %s form', async (_, encodings) => {
    const desktop = new TestDesktop(64, 48);
    const { client } = await served(desktop, { encodings });
    await client.request(false);
    await client.nextUpdate();
    desktop.resize(100, 20);
    await client.request(true);
    await client.nextUpdate();
    await client.request(true);
    while (!equal(client.framebuffer.pixels, desktop.framebuffer.pixels)) {
      await client.nextUpdate();
      await client.request(true);
    }
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('that cannot follow a change of size sees what fits, and black beyond', async () => {
    const desktop = new TestDesktop(60, 40);
    const { client } = await served(desktop, { encodings: raw });
    await client.request(false);
    await client.nextUpdate();
    desktop.resize(30, 80);
    await client.request(true);
    await client.nextUpdate();
    const { pixels, width } = client.framebuffer;
    expect(width).toBe(60);
    expect([pixels[29], pixels[30], pixels[60]]).toEqual([noise(29), 0, noise(30)]);
  });

  it('may ask for a size, and hears how that went', async () => {
    const desktop = new TestDesktop(64, 48);
    desktop.mostSide = 100;
    const { client } = await served(desktop);
    const answer = async (width: number): Promise<unknown> => {
      await client.request(false);
      await client.nextUpdate();
      await client.resize(width, 50);
      await client.request(true);
      for (;;) {
        const { rectangles } = await client.nextUpdate();
        const news = rectangles.find((rect) => rect.encoding === 'extendedDesktopSize' && rect.x === 1);
        if (news) return { status: news.y, width: news.width };
        await client.request(true);
      }
    };
    expect(await answer(80)).toEqual({ status: 0, width: 80 });
    expect(await answer(500)).toEqual({ status: 3, width: 80 });
  });

  const bgr233: PixelFormat = {
    ...NATIVE_PIXEL_FORMAT,
    ...{
      bitsPerPixel: 8,
      depth: 8,
      redMax: 7,
      greenMax: 7,
      blueMax: 3,
      redShift: 0,
      greenShift: 3,
      blueShift: 6,
    },
  };
  const rgb565: PixelFormat = {
    ...NATIVE_PIXEL_FORMAT,
    ...{ bitsPerPixel: 16, depth: 16, redMax: 31, greenMax: 63, blueMax: 31, redShift: 11, greenShift: 5 },
  };
  it.each<[string, PixelFormat, number]>([
    ['8 bits', bgr233, 64],
    ['16 bits', rgb565, 5],
    ['16 bits, big endian', { ...rgb565, bigEndian: true }, 5],
    ['32 bits, big endian', { ...NATIVE_PIXEL_FORMAT, bigEndian: true }, 0],
    ['32 bits, red first', { ...NATIVE_PIXEL_FORMAT, redShift: 0, blueShift: 16 }, 0],
  ])('gets pixels of %s', async (_, pixelFormat, tolerance) => {
    const desktop = new TestDesktop(40, 30);
    const { client } = await served(desktop, { pixelFormat });
    await client.request(false);
    await client.nextUpdate();
    const channel = (pixel: number | undefined, shift: number): number => ((pixel ?? 0) >>> shift) & 255;
    const worst = [...client.framebuffer.pixels].flatMap((pixel, index) =>
      [16, 8, 0].map((shift) =>
        Math.abs(channel(pixel, shift) - channel(desktop.framebuffer.pixels[index], shift)),
      ),
    );
    expect(Math.max(...worst)).toBeLessThanOrEqual(tolerance);
  });

  it('that reads slowly gets the newest picture, not each one between', async () => {
    const desktop = new TestDesktop(400, 300);
    const { client, ours } = await served(desktop, { encodings: raw });
    await client.request(false);
    await until(() => ours.written() > 200);
    const stalled = ours.written();
    for (let frame = 1; frame <= 500; frame++) {
      desktop.fill({ x: 0, y: 0, width: 400, height: 300 }, frame);
    }
    await client.request(true);
    await Promise.resolve();
    expect(ours.written() - stalled).toBe(0);
    await client.nextUpdate();
    const { rectangles } = await client.nextUpdate();
    expect(rectangles).toHaveLength(1);
    expect(new Set(client.framebuffer.pixels)).toEqual(new Set([500]));
  });

  it('works the desktop, and its broken key breaks nothing', async () => {
    const desktop = new TestDesktop(64, 48);
    const errors: string[] = [];
    const { client } = await served(
      desktop,
      {},
      { onError: (error, where) => errors.push(`${where}: ${String(error)}`) },
    );
    await client.key(true, 0xbad);
    await client.key(true, 0x41);
    await client.pointer(1, 9999, 5);
    await client.sendCutText('Grüße');
    await until(() => desktop.events.length === 3);
    expect(desktop.events).toEqual(['down 41', 'pointer 63,5 1', 'clipboard Grüße']);
    expect(errors).toEqual(['key: Error: this key is broken']);
  });

  it('hears bells and gets the newest clipboard text without asking', async () => {
    const desktop = new TestDesktop(64, 48);
    const { client } = await served(desktop);
    await until(() => desktop.views.size === 1);
    desktop.tell((view) => {
      view.clipboard('old');
      view.clipboard('new');
      view.bell();
    });
    expect((await client.nextNotice()).type).toBe('bell');
    expect(await client.nextNotice()).toEqual({ type: 'serverCutText', text: 'new' });
  });

  it('shares the desktop with others', async () => {
    const desktop = new TestDesktop(64, 48);
    const viewers = [await served(desktop), await served(desktop, { encodings: raw })];
    desktop.fill({ x: 0, y: 0, width: 64, height: 48 }, 0xabcdef);
    for (const { client } of viewers) {
      await client.request(true);
      await client.nextUpdate();
      expect(new Set(client.framebuffer.pixels)).toEqual(new Set([0xabcdef]));
    }
  });
});

describe('A served connection ends', () => {
  it('in order when the viewer leaves', async () => {
    const desktop = new TestDesktop(64, 48);
    const { client, ours, over } = await served(desktop);
    await client.close();
    expect(await over).toBeUndefined();
    expect(ours.aborted).toBeUndefined();
    expect(desktop.events).toEqual(['detached']);
  });

  it('in order when the desktop closes, after the update that is on its way', async () => {
    const desktop = new TestDesktop(300, 200);
    const { client, ours, theirs, over } = await served(desktop, { encodings: raw });
    await client.request(false);
    await until(() => ours.written() > 200);
    desktop.tell((view) => view.closed());
    await client.nextUpdate();
    expectSame(client.framebuffer, desktop.framebuffer);
    expect(await theirs.read()).toBeNull();
    await theirs.end();
    expect(await over).toBeUndefined();
  });

  it('at once when the signal aborts, also in the middle of a write', async () => {
    const desktop = new TestDesktop(300, 200);
    const controller = new AbortController();
    const { client, over } = await served(desktop, {}, { signal: controller.signal });
    await client.request(false);
    controller.abort(new Error('enough'));
    expect((await over)?.message).toBe('enough');
    expect(desktop.views.size).toBe(0);
    await expect(client.nextUpdate()).rejects.toThrow('enough');
  });

  it('with an error when the viewer breaks the protocol', async () => {
    const desktop = new TestDesktop(64, 48);
    const { theirs, over } = await served(desktop);
    await theirs.write(Uint8Array.of(99));
    expect(await over).toMatchObject({ code: 'unknown_message' });
    expect(desktop.events).toEqual(['detached']);
  });

  it('with an error when the viewer asks for a colour map', async () => {
    const desktop = new TestDesktop(64, 48);
    const { theirs, over } = await served(desktop);
    await theirs.write(writeSetPixelFormat({ ...NATIVE_PIXEL_FORMAT, bitsPerPixel: 8, trueColour: false }));
    expect(await over).toMatchObject({ code: 'pixel_format_unsupported' });
  });

  it('with the error of the channel', async () => {
    const desktop = new TestDesktop(64, 48);
    const { theirs, over } = await served(desktop);
    theirs.abort(new Error('cable pulled'));
    expect((await over)?.message).toBe('cable pulled');
  });
});

describe('The handshake', () => {
  async function talk(...says: Uint8Array[]): Promise<{ heard: Uint8Array; error: Error | undefined }> {
    const [ours, theirs] = channels();
    open.push(ours, theirs);
    const over = serveRfb(ours, new TestDesktop(8, 8));
    const speaking = (async () => {
      for (const bytes of says) await theirs.write(bytes);
      await theirs.end();
    })();
    const heard: Uint8Array[] = [];
    for (let bytes = await theirs.read(); bytes; bytes = await theirs.read()) heard.push(bytes);
    await speaking.catch(() => undefined);
    return { heard: concat(heard), error: await over };
  }
  const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);
  const greet = (minor: string): Uint8Array => new TextEncoder().encode(`RFB 003.${minor}\n`);

  it('is that of 3.3 for a client that speaks 3.3', async () => {
    const { heard, error } = await talk(greet('003'), Uint8Array.of(1));
    expect(error).toBeUndefined();
    expect([...heard.subarray(12, 20)]).toEqual([0, 0, 0, 1, 0, 8, 0, 8]);
  });

  it('is that of 3.7 for a client that speaks 3.7', async () => {
    const { heard, error } = await talk(greet('007'), Uint8Array.of(1, 1));
    expect(error).toBeUndefined();
    expect([...heard.subarray(12, 18)]).toEqual([1, 1, 0, 8, 0, 8]);
  });

  it('tells a client why its security type is refused', async () => {
    const { heard, error } = await talk(greet('008'), Uint8Array.of(2));
    expect(error).toBeInstanceOf(RfbError);
    expect([...heard.subarray(12, 18)]).toEqual([1, 1, 0, 0, 0, 1]);
    expect(text(heard)).toContain('security type 2 is not offered; allowed is 1, None');
  });

  it('tells a client of another protocol why it is refused', async () => {
    const { heard, error } = await talk(new TextEncoder().encode('RFB 004.001\n'));
    expect(error).toMatchObject({ code: 'version_unsupported' });
    expect(text(heard)).toContain('the greeting is');
  });

  it('ends in order where the client leaves during it', async () => {
    expect((await talk(greet('008'))).error).toBeUndefined();
  });
});

it('A byte channel of the tunnel can be served', () => {
  const serve = (channel: ByteChannel): Promise<Error | undefined> =>
    serveRfb(channel, new TestDesktop(8, 8));
  expect(serve).toBeTypeOf('function');
});

/** Without a difference of thousands of lines. */
function expectSame(actual: Framebuffer, wanted: Framebuffer): void {
  expect([actual.width, actual.height]).toEqual([wanted.width, wanted.height]);
  expect(actual.pixels.findIndex((pixel, index) => pixel !== wanted.pixels[index])).toBe(-1);
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
