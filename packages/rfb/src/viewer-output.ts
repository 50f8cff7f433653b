import type { RfbChannel } from './channel.js';
import { ChunkWriter } from './chunk-writer.js';
import { Damage } from './damage.js';
import type { CursorImage, Desktop, DesktopSeat, DesktopView } from './desktop.js';
import { Encoding } from './encodings.js';
import { fields } from './incremental.js';
import { NATIVE_PIXEL_FORMAT, PixelEncoder, type PixelFormat } from './pixel-format.js';
import { bounds, contains, intersect, type Rect } from './rect.js';
import {
  RECT_HEADER_BYTES,
  writeBell,
  writeDesktopSizeRect,
  writeExtendedDesktopSizeRect,
  writeRectHeader,
  writeServerCutText,
  writeUpdateHeader,
} from './write.js';

/** Who caused a change of size, and how it went; as ExtendedDesktopSize has it. */
export interface SizeNews {
  readonly reason: 0 | 1 | 2;
  /** 0 done, 1 prohibited, 3 not a layout that the desktop can have. */
  readonly status: 0 | 1 | 3;
}

/**
 * What one viewer is owed and when it is sent.
 *
 * States: idle → sending → idle … → over. While sending waits for the channel, everything that happens on the desktop
 * only adds to what is owed: rectangles (bounded, see {@link Damage}), the newest cursor, size and clipboard text.
 */
export class ViewerOutput implements DesktopView {
  readonly #desktop: Desktop;
  readonly #channel: RfbChannel;
  readonly #writer: ChunkWriter;
  readonly #cutTextBytes: number;
  readonly #damage = new Damage();
  #status: 'idle' | 'sending' | 'over' = 'idle';
  #encoder = new PixelEncoder(NATIVE_PIXEL_FORMAT);
  #encodings: ReadonlySet<number> = new Set();
  /** The viewer's idea of the desktop's size. */
  #screen: Rect;
  #requested: Rect | undefined;
  #size: SizeNews | undefined;
  #cursorOwed = false;
  #cutText: string | undefined;
  #bellOwed = false;
  #wake: () => void = () => undefined;

  constructor(channel: RfbChannel, desktop: Desktop, cutTextBytes: number) {
    this.#channel = channel;
    this.#desktop = desktop;
    this.#writer = new ChunkWriter(channel);
    this.#cutTextBytes = cutTextBytes;
    this.#screen = screenOf(desktop);
    this.#damage.add(this.#screen);
  }

  // What the desktop reports.

  damaged(area: Rect): void {
    this.#damage.add(intersect(area, this.#screen));
    this.#wake();
  }

  moved(to: Rect, fromX: number, fromY: number): void {
    const source = { ...to, x: fromX, y: fromY };
    const whole = contains(this.#screen, to) && contains(this.#screen, source);
    // Half of an update may be on its way: what the viewer will have at the source is then neither old nor new.
    if (whole && this.#status === 'idle' && this.#encodings.has(Encoding.copyRect)) {
      this.#damage.move({ to, fromX, fromY });
      this.#wake();
    } else {
      this.damaged(to);
    }
  }

  resized(): void {
    this.#size ??= { reason: 0, status: 0 };
    this.damaged(this.#screen);
  }

  cursorChanged(): void {
    this.#cursorOwed = true;
    this.#wake();
  }

  clipboard(text: string): void {
    if (text.length > this.#cutTextBytes) return;
    this.#cutText = text;
    this.#wake();
  }

  bell(): void {
    this.#bellOwed = true;
    this.#wake();
  }

  closed(): void {
    this.close();
  }

  // What the viewer asks for.

  setPixelFormat(format: PixelFormat): void {
    this.#encoder = new PixelEncoder(format);
    this.#cursorOwed = true;
  }

  setEncodings(encodings: readonly number[]): void {
    const before = this.#encodings;
    this.#encodings = new Set(encodings);
    if (!before.has(Encoding.cursor)) this.#cursorOwed = true;
  }

  request(incremental: boolean, area: Rect): void {
    this.#requested = this.#requested ? bounds(this.#requested, area) : area;
    if (!incremental) {
      this.#damage.add(intersect(area, this.#screen));
      if (this.#encodings.has(Encoding.extendedDesktopSize)) this.#size ??= { reason: 0, status: 0 };
    }
    this.#wake();
  }

  /** Answers a viewer that asked for another size. */
  answerSize(status: SizeNews['status']): void {
    this.#size = { reason: 1, status };
    this.#wake();
  }

  /** Lets an update that is on its way finish, then `run` resolves. */
  close(): void {
    this.#status = 'over';
    this.#wake();
  }

  /** Sends until closed. Rejects when the channel fails. */
  async run(seat: DesktopSeat): Promise<void> {
    while (this.#status !== 'over') {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      if (!(await this.#sendNotices()) && !(await this.#sendUpdate(seat))) await woken;
    }
  }

  async #sendNotices(): Promise<boolean> {
    if (this.#bellOwed) {
      this.#bellOwed = false;
      await this.#channel.write(writeBell());
      return true;
    }
    if (this.#cutText !== undefined) {
      const text = this.#cutText;
      this.#cutText = undefined;
      await this.#channel.write(writeServerCutText(text));
      return true;
    }
    return false;
  }

  async #sendUpdate(seat: DesktopSeat): Promise<boolean> {
    const requested = this.#requested;
    if (!requested) return false;
    const size = this.#takeSize();
    if (size?.resized) return await this.#sendSize(size.rect);
    if (!contains(requested, this.#screen)) this.#damage.dissolveCopies();
    const cursor = this.#cursorOwed && this.#encodings.has(Encoding.cursor);
    const { copies, rects } = this.#damage.take(intersect(requested, this.#screen));
    const rectangles = copies.length + rects.length + (cursor ? 1 : 0) + (size ? 1 : 0);
    if (rectangles === 0) return false;

    this.#requested = undefined;
    if (cursor) this.#cursorOwed = false;
    // A viewer can change its format while this update is on its way; that counts from the next one.
    const encoder = this.#encoder;
    await this.#sending(async () => {
      const writer = this.#writer;
      writer.at = writeUpdateHeader(writer.view, writer.at, rectangles);
      if (size) await writer.put(size.rect);
      if (cursor) await writer.put(encodeCursor(seat.cursor, encoder));
      for (const { to, fromX, fromY } of copies) {
        if (writer.room < RECT_HEADER_BYTES + 4) await writer.flush();
        writer.at = writeRectHeader(writer.view, writer.at, to, Encoding.copyRect);
        writer.view.setUint16(writer.at, fromX);
        writer.view.setUint16(writer.at + 2, fromY);
        writer.at += 4;
      }
      for (const rect of rects) await this.#putRaw(rect, encoder);
    });
    return true;
  }

  /** What is to be said of the size, as a rectangle, to a viewer that understands it. */
  #takeSize(): { rect: Uint8Array; resized: boolean } | undefined {
    const news = this.#size;
    const extended = this.#encodings.has(Encoding.extendedDesktopSize);
    if (!news || !(extended || this.#encodings.has(Encoding.desktopSize))) return undefined;
    this.#size = undefined;
    const { width, height } = this.#desktop.framebuffer;
    const resized = width !== this.#screen.width || height !== this.#screen.height;
    if (extended) {
      return { rect: writeExtendedDesktopSizeRect(width, height, news.reason, news.status), resized };
    }
    return resized ? { rect: writeDesktopSizeRect(width, height), resized } : undefined;
  }

  /** A new size goes alone: it ends what the viewer knew of the old one. */
  async #sendSize(rect: Uint8Array): Promise<boolean> {
    this.#requested = undefined;
    this.#screen = screenOf(this.#desktop);
    this.#damage.clear();
    this.#damage.add(this.#screen);
    await this.#sending(async () => {
      this.#writer.at = writeUpdateHeader(this.#writer.view, this.#writer.at, 1);
      await this.#writer.put(rect);
    });
    return true;
  }

  async #sending(write: () => Promise<void>): Promise<void> {
    if (this.#status === 'idle') this.#status = 'sending';
    await write();
    await this.#writer.flush();
    if (this.#status === 'sending') this.#status = 'idle';
  }

  /** Pixels are those of the moment at which each chunk is filled; what changes later is owed again. */
  async #putRaw(rect: Rect, encoder: PixelEncoder): Promise<void> {
    const writer = this.#writer;
    if (writer.room < RECT_HEADER_BYTES) await writer.flush();
    writer.at = writeRectHeader(writer.view, writer.at, rect, Encoding.raw);
    for (let row = 0; row < rect.height; row++) {
      for (let column = 0; column < rect.width;) {
        if (writer.room < encoder.bytesPerPixel) await writer.flush();
        const count = Math.min(rect.width - column, Math.floor(writer.room / encoder.bytesPerPixel));
        this.#putPixels(rect.x + column, rect.y + row, count, encoder);
        column += count;
      }
    }
  }

  #putPixels(x: number, y: number, count: number, encoder: PixelEncoder): void {
    const { width, height, pixels } = this.#desktop.framebuffer;
    const writer = this.#writer;
    // The desktop may have shrunk since this update's header promised the rectangle: black stands for what is gone.
    const there = y < height ? Math.max(0, Math.min(count, width - x)) : 0;
    encoder.write(writer.view, writer.at, pixels, y * width + x, there);
    for (let at = there * encoder.bytesPerPixel; at < count * encoder.bytesPerPixel; at++) {
      writer.view.setUint8(writer.at + at, 0);
    }
    writer.at += count * encoder.bytesPerPixel;
  }
}

function screenOf(desktop: Desktop): Rect {
  return { x: 0, y: 0, width: desktop.framebuffer.width, height: desktop.framebuffer.height };
}

/** A Cursor rectangle; of no size for a seat without a shape, which hides the pointer or leaves it to the viewer. */
function encodeCursor(cursor: CursorImage | undefined, encoder: PixelEncoder): Uint8Array {
  const { width, height, hotX, hotY } = cursor ?? { width: 0, height: 0, hotX: 0, hotY: 0 };
  const pixels = width * height;
  const maskStride = Math.ceil(width / 8);
  const imageBytes = pixels * encoder.bytesPerPixel;
  const bytes = new Uint8Array(RECT_HEADER_BYTES + imageBytes + maskStride * height);
  const view = fields(bytes);
  writeRectHeader(view, 0, { x: hotX, y: hotY, width, height }, Encoding.cursor);
  if (!cursor) return bytes;
  encoder.write(view, RECT_HEADER_BYTES, cursor.pixels, 0, pixels);
  for (let index = 0; index < pixels; index++) {
    if (!cursor.mask[index]) continue;
    const x = index % width;
    const at = RECT_HEADER_BYTES + imageBytes + Math.floor(index / width) * maskStride + (x >> 3);
    bytes[at] = (bytes[at] ?? 0) | (0x80 >> (x & 7));
  }
  return bytes;
}
