import type { RfbChannel } from './channel.js';
import { Damage } from './damage.js';
import type { Desktop, DesktopSeat, DesktopView } from './desktop.js';
import { Encoding, FenceFlag } from './encodings.js';
import { RfbError } from './errors.js';
import { NATIVE_PIXEL_FORMAT, PixelEncoder, type PixelFormat } from './pixel-format.js';
import { bounds, contains, intersect, type Rect } from './rect.js';
import {
  encodeCursor,
  planPixels,
  preferredEncoding,
  RectangleWriter,
  type PixelEncoding,
} from './rectangle-writer.js';
import {
  writeBell,
  writeDesktopSizeRect,
  writeEndOfContinuousUpdates,
  writeExtendedDesktopSizeRect,
  writeServerCutText,
  writeServerFence,
} from './write.js';
import type { Deflater } from './zlib.js';

/** Answers to fences and the like that wait for the channel; a viewer that asks for more without reading is aborted. */
export const MAX_PENDING_ANSWERS = 64;

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
  readonly #writer: RectangleWriter;
  readonly #cutTextBytes: number;
  readonly #zrle: boolean;
  readonly #damage = new Damage();
  #status: 'idle' | 'sending' | 'over' = 'idle';
  #encoder = new PixelEncoder(NATIVE_PIXEL_FORMAT);
  #encodings: ReadonlySet<number> = new Set();
  #encoding: PixelEncoding = Encoding.raw;
  /** The viewer's idea of the desktop's size. */
  #screen: Rect;
  #requested: Rect | undefined;
  /** What is sent of without being asked for. */
  #continuous: Rect | undefined;
  #size: SizeNews | undefined;
  #cursorOwed = false;
  #cutText: string | undefined;
  #bellOwed = false;
  readonly #answers: Uint8Array[] = [];
  #wake: () => void = () => undefined;

  constructor(channel: RfbChannel, desktop: Desktop, cutTextBytes: number, deflater?: () => Deflater) {
    this.#channel = channel;
    this.#desktop = desktop;
    this.#writer = new RectangleWriter(channel, desktop, deflater);
    this.#cutTextBytes = cutTextBytes;
    this.#zrle = deflater !== undefined;
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
    this.#encoding = preferredEncoding(encodings, this.#zrle);
    if (!before.has(Encoding.cursor)) this.#cursorOwed = true;
    const learns = (encoding: number): boolean => this.#encodings.has(encoding) && !before.has(encoding);
    // A server says what it can by using it: a fence that asks for an answer, the end of updates that never began.
    if (learns(Encoding.fence)) this.answerFence(FenceFlag.request, new Uint8Array(0));
    if (learns(Encoding.continuousUpdates)) this.#answer(writeEndOfContinuousUpdates());
  }

  request(incremental: boolean, area: Rect): void {
    if (!incremental || !this.#continuous) this.#requested = union(this.#requested, area);
    if (!incremental) {
      this.#damage.add(intersect(area, this.#screen));
      if (this.#encodings.has(Encoding.extendedDesktopSize)) this.#size ??= { reason: 0, status: 0 };
    }
    this.#wake();
  }

  /** Sends what changes in `area` from now on without being asked; `undefined` ends that. */
  setContinuous(area: Rect | undefined): void {
    this.#continuous = area;
    if (!area) this.#answer(writeEndOfContinuousUpdates());
    this.#wake();
  }

  /** Goes out before any update that has not begun. Throws `limit_exceeded` past {@link MAX_PENDING_ANSWERS}. */
  answerFence(flags: number, payload: Uint8Array): void {
    this.#answer(writeServerFence(flags, payload));
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

  /** Sends until closed. Rejects when the channel or the zlib stream fails. */
  async run(seat: DesktopSeat): Promise<void> {
    try {
      while (this.#status !== 'over') {
        const woken = new Promise<void>((resolve) => (this.#wake = resolve));
        if (!(await this.#sendNotices()) && !(await this.#sendUpdate(seat))) await woken;
      }
    } finally {
      this.#writer.close();
    }
  }

  #answer(message: Uint8Array): void {
    if (this.#answers.length === MAX_PENDING_ANSWERS) {
      throw new RfbError(
        'limit_exceeded',
        `the viewer asked for more answers than it read; at most ${MAX_PENDING_ANSWERS} may wait`,
      );
    }
    this.#answers.push(message);
    this.#wake();
  }

  async #sendNotices(): Promise<boolean> {
    const answer = this.#answers.shift();
    if (answer) {
      await this.#channel.write(answer);
      return true;
    }
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
    const requested = union(this.#requested, this.#continuous);
    if (!requested) return false;
    const size = this.#takeSize();
    if (size?.resized) return await this.#sendSize(size.rect);
    if (!contains(requested, this.#screen)) this.#damage.dissolveCopies();
    const cursor = this.#cursorOwed && this.#encodings.has(Encoding.cursor);
    const { copies, rects } = this.#damage.take(intersect(requested, this.#screen));
    const others = copies.length + (cursor ? 1 : 0) + (size ? 1 : 0);
    const plan = planPixels(rects, this.#encoding, others);
    const rectangles = others + plan.parts.length;
    if (rectangles === 0) return false;

    this.#requested = undefined;
    if (cursor) this.#cursorOwed = false;
    // A viewer can change its format while this update is on its way; that counts from the next one.
    const encoder = this.#encoder;
    await this.#sending(rectangles, async (writer) => {
      if (size) await writer.whole(size.rect);
      if (cursor) await writer.whole(encodeCursor(seat.cursor, encoder));
      for (const copy of copies) await writer.copy(copy);
      await writer.pixels(plan, encoder);
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
    await this.#sending(1, (writer) => writer.whole(rect));
    return true;
  }

  async #sending(rectangles: number, write: (writer: RectangleWriter) => Promise<void>): Promise<void> {
    if (this.#status === 'idle') this.#status = 'sending';
    await this.#writer.begin(rectangles);
    await write(this.#writer);
    await this.#writer.end();
    if (this.#status === 'sending') this.#status = 'idle';
  }
}

function screenOf(desktop: Desktop): Rect {
  return { x: 0, y: 0, width: desktop.framebuffer.width, height: desktop.framebuffer.height };
}

function union(a: Rect | undefined, b: Rect | undefined): Rect | undefined {
  return a && b ? bounds(a, b) : (a ?? b);
}
