import { readScreens, type Screen } from './client-messages.js';
import { Encoding, READABLE_ENCODINGS, ServerMessageType } from './encodings.js';
import { RfbError } from './errors.js';
import { readHextile } from './hextile.js';
import { fields, IncrementalParser, type Grammar } from './incremental.js';
import { resolveLimits, within, type RfbLimits } from './limits.js';
import { PIXEL_FORMAT_BYTES, readPixelFormat, type PixelFormat } from './pixel-format.js';
import type { Rect } from './rect.js';
import { decodeLatin1 } from './text.js';
import { readVersion } from './version.js';
import { mostZrleBytes } from './zrle-reader.js';

/** One rectangle of an update. Pixels are as they came, in the client's pixel format. */
export type UpdateRectangle = Rect &
  /** Both in the same form: Hextile is unpacked. */
  (
    | { readonly encoding: 'raw' | 'hextile'; readonly pixels: Uint8Array }
    /** As it came: part of a zlib stream that goes on from rectangle to rectangle. `connectRfb` reads it. */
    | { readonly encoding: 'zrle'; readonly compressed: Uint8Array }
    | { readonly encoding: 'copyRect'; readonly fromX: number; readonly fromY: number }
    /** `x` and `y` are the hotspot; one bit for each pixel in `mask`, rows padded to bytes, high bit first. */
    | { readonly encoding: 'cursor'; readonly pixels: Uint8Array; readonly mask: Uint8Array }
    | { readonly encoding: 'desktopSize' }
    /** `x` is who asked (0 server, 1 this client, 2 another), `y` the status (0 is success). */
    | { readonly encoding: 'extendedDesktopSize'; readonly screens: readonly Screen[] }
  );

/** What a 3.8 server sends, in the order of the protocol. Each rectangle of an update is a message of its own. */
export type ServerMessage =
  | { readonly type: 'version'; readonly version: 8 }
  | { readonly type: 'securityTypes'; readonly types: readonly number[] }
  | { readonly type: 'securityResult'; readonly ok: true }
  | {
      readonly type: 'serverInit';
      readonly width: number;
      readonly height: number;
      readonly format: PixelFormat;
      readonly name: string;
    }
  | { readonly type: 'updateStart' }
  | { readonly type: 'rectangle'; readonly rectangle: UpdateRectangle }
  | { readonly type: 'updateEnd' }
  | {
      readonly type: 'setColourMapEntries';
      readonly first: number;
      readonly colours: readonly { red: number; green: number; blue: number }[];
    }
  | { readonly type: 'bell' }
  | { readonly type: 'serverCutText'; readonly text: string }
  /** Also the announcement that continuous updates can be enabled. */
  | { readonly type: 'endOfContinuousUpdates' }
  | { readonly type: 'serverFence'; readonly flags: number; readonly payload: Uint8Array };

/**
 * Reads the stream of a 3.8 server to a client that chooses security None, handshake included, in any fragments.
 * States: version → securityTypes → result → init → messages ⇄ rectangles. A refusal fails with `security_failed` and
 * the server's reason as the message; an encoding that is not in {@link Encoding} fails with `bad_message`.
 */
export class ServerMessageParser extends IncrementalParser<ServerMessage> {
  readonly #state: ServerStream;

  constructor(limits?: Partial<RfbLimits>) {
    const state = new ServerStream(resolveLimits(limits));
    super(() => state.message());
    this.#state = state;
  }

  /** The format that pixels come in; the server's own after `serverInit`. Set it when SetPixelFormat is sent. */
  get pixelFormat(): PixelFormat | undefined {
    return this.#state.format;
  }

  set pixelFormat(format: PixelFormat) {
    this.#state.format = format;
  }
}

class ServerStream {
  format: PixelFormat | undefined;
  readonly #limits: RfbLimits;
  #status: 'version' | 'securityTypes' | 'result' | 'init' | 'messages' | 'rectangles' = 'version';
  #rectanglesLeft = 0;

  constructor(limits: RfbLimits) {
    this.#limits = limits;
  }

  *message(): Grammar<ServerMessage> {
    switch (this.#status) {
      case 'version': {
        const version = readVersion(yield 12);
        if (version !== 8) {
          throw new RfbError('version_unsupported', `the server speaks RFB 3.${version}; allowed is 3.8`);
        }
        this.#status = 'securityTypes';
        return { type: 'version', version };
      }
      case 'securityTypes': {
        const count = (yield 1)[0] ?? 0;
        if (count === 0) throw yield* this.#refusal();
        this.#status = 'result';
        return { type: 'securityTypes', types: [...(yield count)] };
      }
      case 'result':
        if (fields(yield 4).getUint32(0) !== 0) throw yield* this.#refusal();
        this.#status = 'init';
        return { type: 'securityResult', ok: true };
      case 'init':
        return yield* this.#init();
      case 'messages':
        return yield* this.#one((yield 1)[0] ?? 0);
      case 'rectangles':
        return yield* this.#rectangle();
    }
  }

  *#refusal(): Grammar<RfbError> {
    const length = fields(yield 4).getUint32(0);
    const reason = yield within('the length of the reason', length, this.#limits.textBytes);
    return new RfbError('security_failed', decodeLatin1(reason));
  }

  *#init(): Grammar<ServerMessage> {
    const head = fields(yield 4);
    const [width, height] = [head.getUint16(0), head.getUint16(2)];
    this.#checkDesktop(width, height);
    const format = readPixelFormat(yield PIXEL_FORMAT_BYTES);
    const length = fields(yield 4).getUint32(0);
    const name = decodeLatin1(yield within('the length of the name', length, this.#limits.textBytes));
    this.format = format;
    this.#status = 'messages';
    return { type: 'serverInit', width, height, format, name };
  }

  #checkDesktop(width: number, height: number): void {
    const { desktopSide, desktopPixels } = this.#limits;
    within('the desktop width', width, desktopSide);
    within('the desktop height', height, desktopSide);
    within('the number of pixels of the desktop', width * height, desktopPixels);
  }

  *#one(type: number): Grammar<ServerMessage> {
    switch (type) {
      case ServerMessageType.framebufferUpdate:
        this.#rectanglesLeft = fields(yield 3).getUint16(1);
        this.#status = 'rectangles';
        return { type: 'updateStart' };
      case ServerMessageType.setColourMapEntries: {
        const head = fields(yield 5);
        const first = head.getUint16(1);
        const count = head.getUint16(3);
        const view = fields(yield count * 6);
        const colours = Array.from({ length: count }, (_, index) => ({
          red: view.getUint16(index * 6),
          green: view.getUint16(index * 6 + 2),
          blue: view.getUint16(index * 6 + 4),
        }));
        return { type: 'setColourMapEntries', first, colours };
      }
      case ServerMessageType.bell:
        return { type: 'bell' };
      case ServerMessageType.serverCutText: {
        const length = within('the clipboard text', fields(yield 7).getUint32(3), this.#limits.cutTextBytes);
        return { type: 'serverCutText', text: decodeLatin1(yield length) };
      }
      case ServerMessageType.endOfContinuousUpdates:
        return { type: 'endOfContinuousUpdates' };
      case ServerMessageType.serverFence: {
        const view = fields(yield 8);
        const flags = view.getUint32(3);
        const payload = yield within('the payload of a fence', view.getUint8(7), this.#limits.fenceBytes);
        return { type: 'serverFence', flags, payload: payload.slice() };
      }
      default:
        throw new RfbError(
          'unknown_message',
          `server message of type ${type}; allowed are ${Object.values(ServerMessageType).join(', ')}`,
        );
    }
  }

  *#rectangle(): Grammar<ServerMessage> {
    if (this.#rectanglesLeft === 0) {
      this.#status = 'messages';
      return { type: 'updateEnd' };
    }
    const head = fields(yield 12);
    const rect: Rect = {
      x: head.getUint16(0),
      y: head.getUint16(2),
      width: head.getUint16(4),
      height: head.getUint16(6),
    };
    const encoding = head.getInt32(8);
    this.#rectanglesLeft -= 1;
    if (encoding === Encoding.lastRect) {
      this.#status = 'messages';
      return { type: 'updateEnd' };
    }
    return { type: 'rectangle', rectangle: yield* this.#contents(rect, encoding) };
  }

  *#contents(rect: Rect, encoding: number): Grammar<UpdateRectangle> {
    const limits = this.#limits;
    const bytesPerPixel = (this.format?.bitsPerPixel ?? 32) / 8;
    const pixels = rect.width * rect.height;
    switch (encoding) {
      case Encoding.raw: {
        within('the number of pixels of a rectangle', pixels, limits.rectanglePixels);
        return { ...rect, encoding: 'raw', pixels: (yield pixels * bytesPerPixel).slice() };
      }
      case Encoding.hextile: {
        within('the number of pixels of a rectangle', pixels, limits.rectanglePixels);
        return { ...rect, encoding: 'hextile', pixels: yield* readHextile(rect, bytesPerPixel) };
      }
      case Encoding.zrle: {
        within('the number of pixels of a rectangle', pixels, limits.rectanglePixels);
        const length = fields(yield 4).getUint32(0);
        // What does not compress grows a little.
        const most = mostZrleBytes(rect) + 1024;
        const compressed = (yield within('the length of a ZRLE rectangle', length, most)).slice();
        return { ...rect, encoding: 'zrle', compressed };
      }
      case Encoding.copyRect: {
        const from = fields(yield 4);
        return { ...rect, encoding: 'copyRect', fromX: from.getUint16(0), fromY: from.getUint16(2) };
      }
      case Encoding.cursor: {
        within('the cursor width', rect.width, limits.cursorSide);
        within('the cursor height', rect.height, limits.cursorSide);
        const image = (yield pixels * bytesPerPixel).slice();
        const mask = (yield Math.ceil(rect.width / 8) * rect.height).slice();
        return { ...rect, encoding: 'cursor', pixels: image, mask };
      }
      case Encoding.desktopSize:
      case Encoding.extendedDesktopSize: {
        this.#checkDesktop(rect.width, rect.height);
        if (encoding === Encoding.desktopSize) return { ...rect, encoding: 'desktopSize' };
        const count = within('the number of screens', (yield 4)[0] ?? 0, limits.screens);
        return { ...rect, encoding: 'extendedDesktopSize', screens: readScreens(yield count * 16, count) };
      }
      default:
        throw new RfbError(
          'bad_message',
          `a rectangle of encoding ${encoding}; allowed are ${READABLE_ENCODINGS.join(', ')}`,
        );
    }
  }
}
