import { connectRfb, Encoding, type Deflater, type PixelFormat, type Rect } from '@streamspace/rfb';
import { zlibDeflater, zlibInflater } from '@streamspace/rfb/node';
import { PIXEL_FORMATS } from '../rfb/formats.js';
import { mutateBytes } from '../mutate.js';
import { Picture } from '../rfb/picture.js';
import type { Random } from '../random.js';
import { hextileRect, rawRect, rectHeader, zrleRect, zrleTiles } from '../rfb/rectangles.js';
import { scripted } from '../rfb/slow-pipe.js';
import { WAIT_MS } from '../peers/sockets.js';
import { must, within, type Target } from '../target.js';
import { ascii, cutUp, joined, u16, u32 } from '../rfb/wire.js';

const SIDE = 140;
/** A stream that goes wrong may ask for no more than this. */
const LIMITS = { desktopPixels: 64 * 1024, rectanglePixels: 32 * 1024, cutTextBytes: 4_096, screens: 4 };
/** All that a client may hold and take on its way for so little: pictures, a rectangle twice, zlib. */
const MOST_BYTES = 24 * 1024 * 1024;

const NATIVE = [32, 24, 0, 1, ...u16(255), ...u16(255), ...u16(255), 16, 8, 0, 0, 0, 0];

const greeting = (width: number, height: number): number[] => [
  ...ascii('RFB 003.008\n'),
  ...[1, 1],
  ...u32(0),
  ...[...u16(width), ...u16(height), ...NATIVE, ...u32(4), ...ascii('desk')],
];

/** Says something that is no update. */
function notice(random: Random): number[] {
  switch (random.upTo(3)) {
    case 0:
      return [2];
    case 1: {
      const length = random.upTo(60);
      return [3, 0, 0, 0, ...u32(length), ...random.bytes(length)];
    }
    case 2: {
      const length = random.upTo(64);
      return [248, 0, 0, 0, ...random.bytes(4), length, ...random.bytes(length)];
    }
    default:
      return [150];
  }
}

/** Writes a stream that a client can read to its end, and knows what the client has to show then. */
class Server {
  picture: Picture;
  readonly parts: Uint8Array[] = [];
  updates = 0;
  readonly #deflater: Deflater;
  readonly #lossy: boolean;

  constructor(
    private readonly random: Random,
    readonly format: PixelFormat,
  ) {
    this.#lossy = format.bitsPerPixel !== 32;
    this.picture = this.#blank();
    this.#deflater = zlibDeflater();
    this.say(greeting(this.picture.width, this.picture.height));
  }

  say(bytes: readonly number[]): void {
    this.parts.push(Uint8Array.from(bytes));
  }

  #blank(): Picture {
    return new Picture(1 + this.random.upTo(SIDE), 1 + this.random.upTo(SIDE), this.#lossy);
  }

  async update(): Promise<void> {
    const rects: number[][] = [];
    for (let left = this.random.upTo(4); left > 0; left--) rects.push(await this.#rectangle());
    const isOpen = this.random.chance(0.2);
    if (isOpen) rects.push(rectHeader({ x: 0, y: 0, width: 0, height: 0 }, Encoding.lastRect));
    this.say([0, 0, ...u16(isOpen ? 0xffff : rects.length), ...rects.flat()]);
    this.updates += 1;
  }

  async #rectangle(): Promise<number[]> {
    const { random, picture, format } = this;
    const rect = picture.somewhere(random);
    switch (random.upTo(9)) {
      case 0: {
        const fromX = random.upTo(picture.width - rect.width);
        const fromY = random.upTo(picture.height - rect.height);
        picture.move(rect, fromX, fromY);
        return [...rectHeader(rect, Encoding.copyRect), ...u16(fromX), ...u16(fromY)];
      }
      case 1: {
        const shape = { ...rect, width: random.upTo(20), height: random.upTo(20) };
        const size =
          shape.width * shape.height * (format.bitsPerPixel / 8) + Math.ceil(shape.width / 8) * shape.height;
        return [...rectHeader(shape, Encoding.cursor), ...random.bytes(size)];
      }
      case 2: {
        if (!random.chance(0.3)) return this.#rectangle();
        this.picture = this.#blank();
        const { width, height } = this.picture;
        // A size that is the same leaves the picture as it is: black it must be then, too.
        if (width === picture.width && height === picture.height) this.picture = picture;
        if (random.chance(0.5)) return rectHeader({ x: 0, y: 0, width, height }, Encoding.desktopSize);
        const screens = random.upTo(LIMITS.screens);
        const head = rectHeader({ x: random.upTo(2), y: 0, width, height }, Encoding.extendedDesktopSize);
        return [...head, screens, 0, 0, 0, ...random.bytes(16 * screens)];
      }
      case 3:
      case 4:
        picture.paint(random, rect);
        return rawRect(picture, rect, format);
      case 5:
      case 6:
        picture.paint(random, rect);
        return hextileRect(random, picture, rect, format);
      default:
        picture.paint(random, rect);
        return zrleRect(rect, zrleTiles(random, picture, rect, format), this.#deflater);
    }
  }

  /** One rectangle that no client may draw. @returns the code that it is refused with */
  async wrong(): Promise<string> {
    const { random, picture, format } = this;
    const { width, height } = picture;
    const rect = picture.somewhere(random);
    const say = (bytes: readonly number[], code = 'bad_message'): string => {
      this.say([0, 0, 0, 1, ...bytes]);
      return code;
    };
    const zrle = async (part: Rect, plain: readonly number[]): Promise<string> =>
      say(await zrleRect(part, plain, this.#deflater));
    const beyond = random.chance(0.5)
      ? { ...rect, x: width - rect.width + 1 }
      : { ...rect, y: height - rect.height + 1 };
    const one = { x: 0, y: 0, width: 1, height: 1 };
    // What reaches beyond it to the right would still be in the rectangle, one row below.
    const tall = { ...one, height: Math.min(2, height) };
    const colour = (length: number): number[] => [...random.bytes(length * (format.bitsPerPixel / 8))];
    const compact = format.bitsPerPixel === 32 ? 3 : format.bitsPerPixel / 8;
    switch (random.upTo(15)) {
      case 0:
        return say([...rectHeader(beyond, Encoding.raw), ...colour(rect.width * rect.height)]);
      case 1:
        return say([...rectHeader(beyond, Encoding.copyRect), 0, 0, 0, 0]);
      case 2:
        return say([...rectHeader(rect, Encoding.copyRect), ...u16(beyond.x), ...u16(beyond.y)]);
      case 3:
        return say([...rectHeader(rect, Encoding.hextile), 32 + random.upTo(223)]);
      case 4:
        return say([
          ...rectHeader(tall, Encoding.hextile),
          2 | 4 | 8,
          ...colour(2),
          1,
          random.pick([0x10, 0x02]),
          0,
        ]);
      case 5:
        return say([
          ...rectHeader(tall, Encoding.hextile),
          2 | 4 | 8,
          ...colour(2),
          1,
          0,
          random.pick([0x10, 0x02]),
        ]);
      case 6:
        return say([...rectHeader(rect, random.pick([2, 7, 6, -258, -316]))]);
      case 7:
        return zrle(one, [17 + random.upTo(110), ...random.bytes(400)]);
      case 8:
        return zrle(one, [129, ...random.bytes(400)]);
      case 9:
        // A palette of three has no fourth colour.
        return zrle(one, [3, ...random.bytes(3 * compact), 0xc0]);
      case 10:
        return zrle(one, [128, ...random.bytes(compact), 1]);
      case 11:
        return zrle(one, [130, ...random.bytes(2 * compact), 2]);
      case 12:
        return zrle(one, [1, ...random.bytes(compact), 0]);
      case 13:
        return zrle(rect, [128, ...random.bytes(compact - 1)]);
      case 14: {
        const [shape, encoding] = random.pick([
          [{ ...one, width: 300, height: 300 }, Encoding.raw],
          [{ ...one, width: 300, height: 300 }, Encoding.hextile],
          [{ ...one, width: 300, height: 300 }, Encoding.zrle],
          [{ ...one, width: 513 }, Encoding.cursor],
          [{ ...one, height: 513 }, Encoding.cursor],
          [{ ...one, width: 16_385 }, Encoding.desktopSize],
          [{ ...one, width: 300, height: 300 }, Encoding.extendedDesktopSize],
        ] as const);
        return say(rectHeader(shape, encoding), 'limit_exceeded');
      }
      default: {
        const texts: readonly (readonly number[])[] = [
          [3, 0, 0, 0, ...u32(LIMITS.cutTextBytes + 1)],
          [3, 0, 0, 0, ...u32(0xffffffff)],
          [248, 0, 0, 0, 0, 0, 0, 0, 65],
          [0, 0, 0, 1, ...rectHeader(one, Encoding.extendedDesktopSize), LIMITS.screens + 1, 0, 0, 0],
          [0, 0, 0, 1, ...rectHeader(one, Encoding.zrle), ...u32(5 + 512 + 1024 + 1)],
        ];
        this.say(random.pick(texts));
        return 'limit_exceeded';
      }
    }
  }

  close(): void {
    this.#deflater.close();
  }
}

/** A server that the client has not met: what it draws is on the screen; what it must not say ends it. */
export const viewer: Target = {
  name: 'viewer',
  casesPerRound: 1,
  async round(random, record) {
    const format = random.pick(PIXEL_FORMATS);
    const server = new Server(random, format);
    try {
      for (let left = random.upTo(4); left >= 0; left--) {
        if (random.chance(0.3)) server.say(notice(random));
        await server.update();
      }
      const roll = random.next();
      const isMutated = roll < 0.4;
      const code = !isMutated && roll < 0.7 ? await server.wrong() : undefined;
      let stream = joined(server.parts);
      if (isMutated) {
        const start = random.chance(0.5) ? 0 : Math.min(stream.length, 54);
        const changed = mutateBytes(random, stream.subarray(start), stream);
        stream = joined([stream.subarray(0, start), changed]);
      }
      record(stream);
      const cut = random.pick(['whole', 'random', 'random'] as const);
      const channel = scripted(cutUp(random, stream, cut), random.fork());
      const before = process.memoryUsage();
      const reading = read(channel, format, isMutated ? Infinity : server.updates, server.picture);
      const error = await within(WAIT_MS, 'the client to end', reading);
      const { heapUsed, external } = process.memoryUsage();
      const taken = heapUsed + external - before.heapUsed - before.external;
      must(taken <= MOST_BYTES, `${taken} bytes were taken for a stream of ${stream.length}`);
      must(error.name === 'RfbError', `ended with ${error.stack}`);
      const expected = code ?? 'truncated';
      must(
        isMutated || error.code === expected,
        `ended with ${error.code}, expected ${expected}: ${error.message}`,
      );
    } finally {
      server.close();
    }
  },
  async [Symbol.asyncDispose]() {},
};

/** Reads until it fails, as it always does in the end, and looks at the picture after that many updates. */
async function read(
  channel: ReturnType<typeof scripted>,
  pixelFormat: PixelFormat,
  updates: number,
  picture: Picture,
): Promise<Error & { code?: string }> {
  let seen = 0;
  let wrong: string | undefined;
  try {
    const client = await connectRfb(channel, { pixelFormat, limits: LIMITS, inflater: () => zlibInflater() });
    for (;;) {
      await client.nextUpdate();
      seen += 1;
      if (seen === updates) wrong = picture.difference(client.framebuffer);
    }
  } catch (error) {
    must(error instanceof Error, `threw ${String(error)}`);
    must(wrong === undefined, `after ${updates} updates ${wrong}`);
    must(
      updates === Infinity || seen === updates,
      `ended after ${seen} updates of ${updates}: ${String(error)}`,
    );
    return error;
  }
}
