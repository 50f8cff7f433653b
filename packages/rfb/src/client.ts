import type { RfbChannel } from './channel.js';
import { READABLE_ENCODINGS, SecurityType } from './encodings.js';
import type { CursorImage, Framebuffer } from './desktop.js';
import { RfbError } from './errors.js';
import type { RfbLimits } from './limits.js';
import { decodePixels, NATIVE_PIXEL_FORMAT, type PixelFormat } from './pixel-format.js';
import { contains, type Rect } from './rect.js';
import { ServerMessageParser, type ServerMessage, type UpdateRectangle } from './server-messages.js';
import { writeVersion } from './version.js';
import {
  writeClientCutText,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writePointerEvent,
  writeSetDesktopSize,
  writeSetEncodings,
  writeSetPixelFormat,
} from './write.js';
import type { Inflater } from './zlib.js';
import { decodeZrle, mostZrleBytes } from './zrle-reader.js';

export interface ConnectRfbOptions {
  /**
   * What is announced to the server; only {@link READABLE_ENCODINGS} can be read, fences, and ZRLE with an `inflater`.
   * @default all of READABLE_ENCODINGS, Raw first
   */
  encodings?: readonly number[];
  /** A true-colour format to ask the server for. @default 32 bits, 0xRRGGBB, little endian */
  pixelFormat?: PixelFormat;
  limits?: Partial<RfbLimits>;
  /**
   * Makes the zlib stream of a server that sends ZRLE; `zlibInflater` of `@streamspace/rfb/node` does. Called at most
   * once; it is closed with the client, or where reading fails. @default none: ZRLE cannot be read
   */
  inflater?: () => Inflater;
}

/** What one update held, besides what it did to the framebuffer. */
export interface RfbUpdate {
  readonly rectangles: readonly UpdateRectangle[];
}

/**
 * A small RFB 3.8 client that keeps a framebuffer: enough to prove a server or a platform, not a viewer for people.
 * Call one reading method at a time. Everything rejects with {@link RfbError} or the channel's error.
 */
export interface RfbClient {
  readonly name: string;
  /** Another object after the size has changed. */
  readonly framebuffer: Framebuffer;
  /** The last shape that the server sent. */
  readonly cursor: CursorImage | undefined;
  /** The last text that the server put on the clipboard. */
  readonly cutText: string | undefined;
  /** Bells so far. */
  readonly bells: number;
  /** Asks for an update. `area` defaults to the whole desktop. */
  request(incremental: boolean, area?: Rect): Promise<void>;
  /** Reads until the next update is complete. */
  nextUpdate(): Promise<RfbUpdate>;
  /** Reads the next message that is no update; what updates come before it are drawn. */
  nextNotice(): Promise<ServerMessage>;
  key(down: boolean, keysym: number): Promise<void>;
  pointer(buttons: number, x: number, y: number): Promise<void>;
  sendCutText(text: string): Promise<void>;
  /** Asks for another size; the answer comes with an update. */
  resize(width: number, height: number): Promise<void>;
  /** Ends in order: half-closes, then reads to the server's end. */
  close(): Promise<void>;
}

/** Carries out the handshake and resolves when the desktop's name and size are known. */
export async function connectRfb(channel: RfbChannel, options: ConnectRfbOptions = {}): Promise<RfbClient> {
  const client = new SmallClient(channel, options);
  await client.handshake();
  return client;
}

class SmallClient implements RfbClient {
  readonly #channel: RfbChannel;
  readonly #parser: ServerMessageParser;
  readonly #options: ConnectRfbOptions;
  #format: PixelFormat = NATIVE_PIXEL_FORMAT;
  name = '';
  framebuffer: Framebuffer = { width: 0, height: 0, pixels: new Uint32Array(0) };
  cursor: CursorImage | undefined;
  cutText: string | undefined;
  bells = 0;
  #inflater: Inflater | undefined;

  constructor(channel: RfbChannel, options: ConnectRfbOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#parser = new ServerMessageParser(options.limits);
  }

  async handshake(): Promise<void> {
    await this.#next();
    await this.#channel.write(writeVersion(8));
    const offered = await this.#next();
    if (offered.type === 'securityTypes' && !offered.types.includes(SecurityType.none)) {
      const types = offered.types.join(', ');
      throw new RfbError('security_unsupported', `the server offers security ${types}; allowed is 1, None`);
    }
    await this.#channel.write(Uint8Array.of(SecurityType.none));
    await this.#next();
    await this.#channel.write(Uint8Array.of(1));
    const init = await this.#next();
    if (init.type !== 'serverInit')
      throw new RfbError('bad_message', `${init.type} where ServerInit belongs`);
    this.name = init.name;
    this.#resizeTo(init.width, init.height);
    this.#format = this.#options.pixelFormat ?? NATIVE_PIXEL_FORMAT;
    this.#parser.pixelFormat = this.#format;
    await this.#channel.write(writeSetPixelFormat(this.#format));
    await this.#channel.write(writeSetEncodings(this.#options.encodings ?? READABLE_ENCODINGS));
  }

  request(incremental: boolean, area?: Rect): Promise<void> {
    const { width, height } = this.framebuffer;
    const whole = { x: 0, y: 0, width, height };
    return this.#channel.write(writeFramebufferUpdateRequest(incremental, area ?? whole));
  }

  async nextUpdate(): Promise<RfbUpdate> {
    const rectangles: UpdateRectangle[] = [];
    for (;;) {
      const message = await this.#next();
      if (message.type === 'rectangle') rectangles.push(message.rectangle);
      if (message.type === 'updateEnd') return { rectangles };
    }
  }

  async nextNotice(): Promise<ServerMessage> {
    for (;;) {
      const message = await this.#next();
      if (message.type !== 'updateStart' && message.type !== 'rectangle' && message.type !== 'updateEnd') {
        return message;
      }
    }
  }

  key(down: boolean, keysym: number): Promise<void> {
    return this.#channel.write(writeKeyEvent(down, keysym));
  }

  pointer(buttons: number, x: number, y: number): Promise<void> {
    return this.#channel.write(writePointerEvent(buttons, x, y));
  }

  sendCutText(text: string): Promise<void> {
    return this.#channel.write(writeClientCutText(text));
  }

  resize(width: number, height: number): Promise<void> {
    const screen = { id: 0, x: 0, y: 0, width, height, flags: 0 };
    return this.#channel.write(writeSetDesktopSize(width, height, [screen]));
  }

  async close(): Promise<void> {
    try {
      await this.#channel.end();
      while (await this.#channel.read());
    } finally {
      this.#freeInflater();
    }
  }

  async #next(): Promise<ServerMessage> {
    try {
      return await this.#read();
    } catch (error) {
      this.#freeInflater();
      throw error;
    }
  }

  #freeInflater(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
  }

  async #read(): Promise<ServerMessage> {
    for (;;) {
      const message = this.#parser.next();
      if (message) {
        await this.#apply(message);
        return message;
      }
      const bytes = await this.#channel.read();
      if (!bytes) {
        this.#parser.finish();
        throw new RfbError('truncated', 'the server has ended the connection');
      }
      this.#parser.push(bytes);
    }
  }

  async #apply(message: ServerMessage): Promise<void> {
    if (message.type === 'bell') this.bells += 1;
    if (message.type === 'serverCutText') this.cutText = message.text;
    if (message.type === 'rectangle') await this.#draw(message.rectangle);
  }

  async #draw(rect: UpdateRectangle): Promise<void> {
    switch (rect.encoding) {
      case 'raw':
      case 'hextile': {
        this.#check(rect);
        const pixels = decodePixels(this.#format, rect.pixels, rect.width * rect.height);
        this.#blit(rect, pixels);
        return;
      }
      case 'zrle': {
        this.#check(rect);
        this.#inflater ??= this.#options.inflater?.();
        if (!this.#inflater)
          throw new RfbError('bad_message', 'a rectangle in ZRLE, and no inflater was given');
        const inflated = await this.#inflater.inflate(rect.compressed, mostZrleBytes(rect));
        this.#blit(rect, decodeZrle(rect, this.#format, inflated));
        return;
      }
      case 'copyRect': {
        this.#check(rect);
        this.#check({ ...rect, x: rect.fromX, y: rect.fromY });
        this.#copy(rect, rect.fromX, rect.fromY);
        return;
      }
      case 'cursor':
        this.cursor = {
          width: rect.width,
          height: rect.height,
          hotX: rect.x,
          hotY: rect.y,
          pixels: decodePixels(this.#format, rect.pixels, rect.width * rect.height),
          mask: unpackMask(rect.mask, rect.width, rect.height),
        };
        return;
      case 'desktopSize':
      case 'extendedDesktopSize':
        this.#resizeTo(rect.width, rect.height);
    }
  }

  #blit(rect: Rect, source: Uint32Array): void {
    const { pixels, width } = this.framebuffer;
    for (let row = 0; row < rect.height; row++) {
      const from = row * rect.width;
      pixels.set(source.subarray(from, from + rect.width), (rect.y + row) * width + rect.x);
    }
  }

  /** In place: where the two overlap, no row is overwritten before it has been copied. */
  #copy(rect: Rect, fromX: number, fromY: number): void {
    const { pixels, width } = this.framebuffer;
    const lastRowFirst = rect.y > fromY;
    for (let turn = 0; turn < rect.height; turn++) {
      const row = lastRowFirst ? rect.height - 1 - turn : turn;
      const from = (fromY + row) * width + fromX;
      pixels.copyWithin((rect.y + row) * width + rect.x, from, from + rect.width);
    }
  }

  #check(rect: Rect): void {
    const { width, height } = this.framebuffer;
    if (contains({ x: 0, y: 0, width, height }, rect)) return;
    const { x, y } = rect;
    throw new RfbError(
      'bad_message',
      `rectangle ${rect.width}x${rect.height} at ${x},${y} reaches beyond the desktop, ${width}x${height}`,
    );
  }

  #resizeTo(width: number, height: number): void {
    if (width === this.framebuffer.width && height === this.framebuffer.height) return;
    this.framebuffer = { width, height, pixels: new Uint32Array(width * height) };
  }
}

function unpackMask(mask: Uint8Array, width: number, height: number): Uint8Array {
  const stride = Math.ceil(width / 8);
  return Uint8Array.from({ length: width * height }, (_, index) => {
    const x = index % width;
    const byte = mask[Math.floor(index / width) * stride + (x >> 3)] ?? 0;
    return (byte >> (7 - (x & 7))) & 1;
  });
}
