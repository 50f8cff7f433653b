import { deflateSync, inflateSync, constants } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  connectRfb,
  Encoding,
  NATIVE_PIXEL_FORMAT,
  serveRfb,
  ServerMessageParser,
  type Framebuffer,
  type PixelFormat,
  type RfbClient,
  type ServeRfbOptions,
} from '@streamspace/rfb';
import { zlibDeflater, zlibInflater } from '@streamspace/rfb/node';
import { planPixels } from '../src/rectangle-writer.js';
import {
  channels,
  concat,
  handshake,
  noise,
  rectangle,
  TestDesktop,
  until,
  type TestChannel,
} from './support.js';

const open: TestChannel[] = [];
afterEach(() => {
  for (const channel of open.splice(0)) channel.abort();
});

const zrle = [Encoding.zrle];

interface Wanted {
  encodings?: readonly number[];
  pixelFormat?: PixelFormat;
  server?: ServeRfbOptions;
  split?: (bytes: Uint8Array) => Uint8Array[];
}

async function served(desktop: TestDesktop, wanted: Wanted = {}) {
  const { encodings = zrle, pixelFormat, server = { deflater: zlibDeflater }, split } = wanted;
  const [ours, theirs] = channels(split);
  open.push(ours, theirs);
  const over = serveRfb(ours, desktop, server);
  const client = await connectRfb(theirs, {
    encodings,
    inflater: zlibInflater,
    ...(pixelFormat ? { pixelFormat } : {}),
  });
  return { client, ours, theirs, over };
}

async function refresh(client: RfbClient, incremental = false): Promise<string[]> {
  await client.request(incremental);
  const { rectangles } = await client.nextUpdate();
  return [...new Set(rectangles.map(({ encoding }) => encoding))];
}

/** Without a difference of thousands of lines. */
function expectSame(actual: Framebuffer, wanted: Framebuffer): void {
  expect([actual.width, actual.height]).toEqual([wanted.width, wanted.height]);
  expect(actual.pixels.findIndex((pixel, index) => pixel !== wanted.pixels[index])).toBe(-1);
}

const EIGHT_BITS: PixelFormat = {
  ...NATIVE_PIXEL_FORMAT,
  bitsPerPixel: 8,
  depth: 8,
  redMax: 7,
  greenMax: 7,
  blueMax: 3,
  redShift: 5,
  greenShift: 2,
};
const SIXTEEN_BITS: PixelFormat = {
  ...NATIVE_PIXEL_FORMAT,
  bitsPerPixel: 16,
  depth: 16,
  redMax: 31,
  greenMax: 63,
  blueMax: 31,
  redShift: 11,
  greenShift: 5,
};
const HIGH_BYTES: PixelFormat = { ...NATIVE_PIXEL_FORMAT, redShift: 24, greenShift: 16, blueShift: 8 };
const formats: [string, PixelFormat][] = [
  ['three low bytes', NATIVE_PIXEL_FORMAT],
  ['three low bytes, big-endian', { ...NATIVE_PIXEL_FORMAT, bigEndian: true }],
  ['three low bytes, red first', { ...NATIVE_PIXEL_FORMAT, redShift: 0, blueShift: 16 }],
  ['three high bytes', HIGH_BYTES],
  ['three high bytes, big-endian', { ...HIGH_BYTES, bigEndian: true }],
  ['four bytes', { ...NATIVE_PIXEL_FORMAT, depth: 32 }],
  ['16 bits', SIXTEEN_BITS],
  ['16 bits, big-endian', { ...SIXTEEN_BITS, bigEndian: true }],
  ['8 bits', EIGHT_BITS],
];

describe('ZRLE is spoken', () => {
  const offer = [7, Encoding.zrle, Encoding.hextile, Encoding.raw];
  it.each<[string, readonly number[], ServeRfbOptions, string]>([
    ['where there is a deflater and the viewer names it first', offer, { deflater: zlibDeflater }, 'zrle'],
    ['not without a deflater', offer, {}, 'hextile'],
    ['not where another one is named first', [...offer].reverse(), { deflater: zlibDeflater }, 'raw'],
  ])('%s', async (_, encodings, server, expected) => {
    const desktop = new TestDesktop(20, 20);
    const { client } = await served(desktop, { encodings, server });
    expect(await refresh(client)).toEqual([expected]);
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('by a stream that is made once, when it is first needed, and closed with the connection', async () => {
    const told: string[] = [];
    const deflater = () => {
      told.push('made');
      const { deflate, close } = zlibDeflater();
      return { deflate, close: () => void (told.push('closed'), close()) };
    };
    const desktop = new TestDesktop(70, 70);
    const { client, over } = await served(desktop, { server: { deflater } });
    expect(told).toEqual([]);
    await refresh(client);
    await refresh(client);
    expect(told).toEqual(['made']);
    await client.close();
    expect(await over).toBeUndefined();
    expect(told).toEqual(['made', 'closed']);
  });

  it('unless an update would have more rectangles than it can say', () => {
    const side = 16_384;
    const rect = { x: 0, y: 0, width: side, height: side };
    const each = (side / 256) * (side / 64);
    const most = Math.floor(0xffff / each);
    const fits = planPixels(Array(most).fill(rect), Encoding.zrle, 0xffff - most * each);
    expect([fits.encoding, fits.parts.length]).toEqual([Encoding.zrle, most * each]);
    const beyond = planPixels(Array(most).fill(rect), Encoding.zrle, 0xffff - most * each + 1);
    expect([beyond.encoding, beyond.parts.length]).toEqual([Encoding.hextile, most]);
  });

  it('to its end: where the stream fails, the connection is aborted with its error', async () => {
    const broken = new Error('no memory');
    const deflater = () => ({ deflate: () => Promise.reject(broken), close: () => undefined });
    const { client, over } = await served(new TestDesktop(20, 20), { server: { deflater } });
    await expect(refresh(client)).rejects.toBe(broken);
    expect(await over).toBe(broken);
  });
});

describe('ZRLE shows whatever is on the screen', () => {
  // Few colours, which every format has, in bands and spots of a tile that is cut off on two sides.
  const colours = [0, 0xff0000, 0xff00, 0xff, 0xffffff, 0xffff00, 0xff00ff];
  const scene = fc.array(
    fc.record({
      x: fc.nat(139),
      y: fc.nat(69),
      width: fc.integer({ min: 1, max: 140 }),
      height: fc.integer({ min: 1, max: 70 }),
      colour: fc.constantFrom(...colours),
    }),
    { maxLength: 30 },
  );

  it.each(formats)('in %s', async (_, pixelFormat) => {
    const property = fc.asyncProperty(scene, async (parts) => {
      const desktop = new TestDesktop(140, 70);
      desktop.fill({ x: 0, y: 0, width: 140, height: 70 }, 0xffff);
      for (const { x, y, width, height, colour } of parts) {
        desktop.fill({ x, y, width: Math.min(width, 140 - x), height: Math.min(height, 70 - y) }, colour);
      }
      const { client, theirs } = await served(desktop, { pixelFormat });
      expect(await refresh(client)).toEqual(['zrle']);
      expectSame(client.framebuffer, desktop.framebuffer);
      theirs.abort();
    });
    await fc.assert(property, { numRuns: 25 });
  });

  it('with any number of colours, in runs of any length', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2000 })), { minLength: 1 }),
      async (count, lengths) => {
        const desktop = new TestDesktop(64, 64);
        const { pixels } = desktop.framebuffer;
        for (let at = 0, turn = 0; at < pixels.length; turn++) {
          const end = at + (lengths[turn % lengths.length] ?? 1);
          pixels.fill(noise(turn % count), at, end);
          at = end;
        }
        const { client, theirs } = await served(desktop);
        await refresh(client);
        expectSame(client.framebuffer, desktop.framebuffer);
        theirs.abort();
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  it('after every change, in one stream that goes on', async () => {
    const desktop = new TestDesktop(200, 150);
    const { client, ours } = await served(desktop);
    await refresh(client);
    const first = ours.written();
    for (let turn = 0; turn < 20; turn++) {
      desktop.fill({ x: turn * 5, y: turn * 3, width: 50, height: 40 }, noise(turn));
      await refresh(client, true);
      expectSame(client.framebuffer, desktop.framebuffer);
    }
    expect(ours.written() - first).toBeLessThan(first / 10);
  });

  it('when it is split at every byte', async () => {
    const desktop = new TestDesktop(70, 66);
    desktop.fill({ x: 3, y: 3, width: 40, height: 60 }, 0x123456);
    const bytewise = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((byte) => Uint8Array.of(byte));
    const { client } = await served(desktop, { split: bytewise });
    await refresh(client);
    expectSame(client.framebuffer, desktop.framebuffer);
  });

  it('and black for what the desktop lost while the update was on its way', async () => {
    const desktop = new TestDesktop(300, 200);
    const { client, ours } = await served(desktop, { encodings: [...zrle, Encoding.desktopSize] });
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

describe('The tiles of ZRLE', () => {
  /** What is sent for a tile of 64 by 64, inflated by zlib as others use it. */
  async function tileOf(paint: (pixels: Uint32Array) => void): Promise<Uint8Array> {
    const desktop = new TestDesktop(64, 64);
    paint(desktop.framebuffer.pixels);
    const sent: Uint8Array[] = [];
    const { client } = await served(desktop, { split: (bytes) => (sent.push(bytes), [bytes]) });
    await refresh(client);
    const parser = new ServerMessageParser();
    parser.push(concat(sent));
    for (let message = parser.next(); message; message = parser.next()) {
      if (message.type !== 'rectangle' || message.rectangle.encoding !== 'zrle') continue;
      return inflateSync(message.rectangle.compressed, { finishFlush: constants.Z_SYNC_FLUSH });
    }
    throw new Error('there was no rectangle in ZRLE');
  }

  it.each<[string, (pixels: Uint32Array) => void, number[]]>([
    ['of one colour are that colour', (pixels) => pixels.fill(0x112233), [1, 0x33, 0x22, 0x11]],
    [
      'of a long run are runs',
      (pixels) => pixels.fill(1).fill(2, 300),
      // 300 of the first, 3796 of the second: each as one less.
      [128, 1, 0, 0, 255, 44, 2, 0, 0, ...Array<number>(14).fill(255), 225],
    ],
  ])('%s', async (_, paint, expected) => {
    expect([...(await tileOf(paint))]).toEqual(expected);
  });

  it.each<[string, number, (index: number) => number, number]>([
    ['of two colours in turn take a bit for each pixel', 2, (index) => index % 2, 1 + 6 + 512],
    ['of three colours in turn take two', 3, (index) => index % 3, 1 + 9 + 1024],
    ['of sixteen colours in turn take four', 16, (index) => index % 16, 1 + 48 + 2048],
    ['of a hundred colours in turn take a byte', 128 + 100, (index) => index % 100, 1 + 300 + 4096],
    ['of noise take three bytes', 0, noise, 1 + 3 * 4096],
    [
      'of runs of more colours than a palette has take four for a run',
      128,
      (i) => noise(i >> 3),
      1 + 4 * 512,
    ],
  ])('%s', async (_, kind, colourAt, bytes) => {
    const tile = await tileOf((pixels) => pixels.forEach((_, index) => (pixels[index] = colourAt(index))));
    expect([tile[0], tile.length]).toEqual([kind, bytes]);
  });
});

describe('A client of ZRLE', () => {
  /** Reads one rectangle of 64 by 64 that holds these bytes, compressed. */
  async function reading(tile: readonly number[], compress = true): Promise<unknown> {
    const [ours, theirs] = channels();
    open.push(ours, theirs);
    const desktop = new TestDesktop(64, 64);
    const plain = Uint8Array.from(tile);
    const sent = compress ? deflateSync(plain, { finishFlush: constants.Z_SYNC_FLUSH }) : plain;
    const deflater = () => ({ deflate: () => Promise.resolve(sent), close: () => undefined });
    void serveRfb(ours, desktop, { deflater });
    const client = await connectRfb(theirs, { encodings: zrle, inflater: zlibInflater });
    return refresh(client).catch((error: unknown) => error);
  }

  it.each<[string, number[]]>([
    ['a tile of an unknown kind', [17, 1, 1, 1]],
    ['a palette of runs of one colour', [129, 1, 1, 1]],
    ['a tile that ends early', [0, 1, 2, 3]],
    ['bytes beyond the last tile', [1, 1, 2, 3, 4]],
    ['a run beyond its tile', [128, 1, 2, 3, ...Array<number>(17).fill(255), 0]],
    ['a colour that the palette lacks', [130, 1, 1, 1, 2, 2, 2, 5]],
    ['nothing', []],
  ])('refuses %s', async (_, tile) => {
    expect(await reading(tile)).toMatchObject({ name: 'RfbError', code: 'bad_message' });
  });

  it('refuses what zlib cannot read', async () => {
    expect(await reading([1, 2, 3, 4, 5], false)).toMatchObject({ code: 'bad_message' });
  });

  it('inflates no more than the rectangle can be', async () => {
    expect(await reading(Array<number>(64 * 64 * 5 + 600).fill(0))).toMatchObject({ code: 'limit_exceeded' });
  });

  it('refuses a rectangle that is longer than it can be before it is there', () => {
    const parser = new ServerMessageParser();
    parser.push(handshake(64, 64));
    for (let step = 0; step < 4; step++) parser.next();
    parser.push(rectangle(64, 64, Encoding.zrle, 0, 2, 0, 0));
    expect(parser.next()).toEqual({ type: 'updateStart' });
    expect(() => parser.next()).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  it('says that it needs an inflater', async () => {
    const [ours, theirs] = channels();
    open.push(ours, theirs);
    void serveRfb(ours, new TestDesktop(8, 8), { deflater: zlibDeflater });
    const client = await connectRfb(theirs, { encodings: zrle });
    await expect(refresh(client)).rejects.toThrow(/no inflater/);
  });
});

describe('By default, a server makes a client hold', () => {
  it.each([Encoding.raw, Encoding.hextile, Encoding.zrle])(
    'no rectangle above 4 Mi pixels: encoding %i',
    (encoding) => {
      const parser = new ServerMessageParser();
      parser.push(handshake(4096, 4096));
      for (let step = 0; step < 4; step++) parser.next();
      parser.push(rectangle(4096, 1025, encoding));
      expect(parser.next()).toEqual({ type: 'updateStart' });
      expect(() => parser.next()).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
    },
  );

  it('no desktop above 16 Mi pixels', () => {
    const parser = new ServerMessageParser();
    parser.push(handshake(4096, 4097));
    for (let step = 0; step < 3; step++) parser.next();
    expect(() => parser.next()).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  it.each([Encoding.desktopSize, Encoding.extendedDesktopSize])(
    'nor one that grows above that: encoding %i',
    (encoding) => {
      const parser = new ServerMessageParser();
      parser.push(handshake(64, 64));
      for (let step = 0; step < 4; step++) parser.next();
      parser.push(rectangle(16_384, 16_384, encoding));
      expect(parser.next()).toEqual({ type: 'updateStart' });
      expect(() => parser.next()).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
    },
  );
});
