import type { CursorImage, Desktop, DesktopSeat, DesktopView, Rect, RfbChannel } from '@streamspace/rfb';

/** One direction in memory; a writer waits until its chunk was read, as behind a socket with no buffer. */
class Pipe {
  readonly #chunks: { bytes: Uint8Array; taken: () => void }[] = [];
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;
  written = 0;
  /** Called for each chunk; what it returns is what the reader gets. */
  split: (bytes: Uint8Array) => Uint8Array[] = (bytes) => [bytes];

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#error) throw this.#error;
      const next = this.#chunks.shift();
      if (next) {
        next.taken();
        return next.bytes;
      }
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error) throw this.#error;
    this.written += bytes.length;
    const taken = this.split(bytes.slice()).map(
      (part) => new Promise<void>((resolve) => this.#chunks.push({ bytes: part, taken: resolve })),
    );
    this.#wake();
    await Promise.all(taken);
    if (this.#error) throw this.#error;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(error: Error): void {
    if (this.#ended && this.#chunks.length === 0) return;
    this.#error ??= error;
    for (const chunk of this.#chunks.splice(0)) chunk.taken();
    this.#wake();
  }
}

export interface TestChannel extends RfbChannel {
  /** Bytes written so far. */
  readonly written: () => number;
  aborted: Error | undefined;
}

/** Two ends in memory; `split` cuts what the first end writes. */
export function channels(split?: (bytes: Uint8Array) => Uint8Array[]): [TestChannel, TestChannel] {
  const there = new Pipe();
  const back = new Pipe();
  if (split) there.split = split;
  const end = (incoming: Pipe, outgoing: Pipe): TestChannel => ({
    read: () => incoming.read(),
    write: (bytes) => outgoing.write(bytes),
    end: () => Promise.resolve(outgoing.end()),
    abort(reason = new Error('aborted')) {
      this.aborted ??= reason;
      incoming.fail(reason);
      outgoing.fail(reason);
    },
    written: () => outgoing.written,
    aborted: undefined,
  });
  return [end(back, there), end(there, back)];
}

/** A desktop that does what a test tells it to, and remembers what viewers did. */
export class TestDesktop implements Desktop {
  name = 'test desktop';
  framebuffer: { width: number; height: number; pixels: Uint32Array };
  readonly views = new Set<DesktopView>();
  readonly events: string[] = [];
  cursor: CursorImage | undefined;
  /** Sizes that viewers may ask for; none where it is absent. */
  mostSide: number | undefined;

  constructor(width: number, height: number) {
    this.framebuffer = { width, height, pixels: new Uint32Array(width * height) };
    this.framebuffer.pixels.forEach((_, index) => (this.framebuffer.pixels[index] = noise(index)));
  }

  attach(view: DesktopView): DesktopSeat {
    this.views.add(view);
    const resize = (width: number, height: number): boolean => {
      if (width > (this.mostSide ?? 0)) return false;
      this.resize(width, height);
      return true;
    };
    const cursor = (): CursorImage | undefined => this.cursor;
    return {
      pointer: ({ x, y, buttons }) => void this.events.push(`pointer ${x},${y} ${buttons}`),
      key: ({ keysym, down }) => {
        if (keysym === 0xbad) throw new Error('this key is broken');
        this.events.push(`${down ? 'down' : 'up'} ${keysym.toString(16)}`);
      },
      clipboard: (text) => void this.events.push(`clipboard ${text}`),
      ...(this.mostSide === undefined ? {} : { resize }),
      get cursor() {
        return cursor();
      },
      detach: () => {
        this.views.delete(view);
        this.events.push('detached');
      },
    };
  }

  tell(what: (view: DesktopView) => void): void {
    for (const view of this.views) what(view);
  }

  fill(rect: Rect, colour: number): void {
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      const start = y * this.framebuffer.width + rect.x;
      this.framebuffer.pixels.fill(colour, start, start + rect.width);
    }
    this.tell((view) => view.damaged(rect));
  }

  move(to: Rect, fromX: number, fromY: number): void {
    const { pixels, width } = this.framebuffer;
    const before = pixels.slice();
    for (let row = 0; row < to.height; row++) {
      const from = (fromY + row) * width + fromX;
      pixels.set(before.subarray(from, from + to.width), (to.y + row) * width + to.x);
    }
    this.tell((view) => view.moved(to, fromX, fromY));
  }

  resize(width: number, height: number): void {
    this.framebuffer = {
      width,
      height,
      pixels: Uint32Array.from({ length: width * height }, (_, i) => noise(i)),
    };
    this.tell((view) => view.resized());
  }
}

/** A pixel that differs from its neighbours. */
export function noise(index: number): number {
  return Math.imul(index + 1, 0x9e3779b1) & 0xffffff;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Resolves when a condition holds; rejects after two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 2000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in two seconds');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** All that a server says up to its first update. */
export function handshake(width: number, height: number): Uint8Array {
  const format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
  return concat([
    new TextEncoder().encode('RFB 003.008\n'),
    Uint8Array.of(1, 1, 0, 0, 0, 0),
    Uint8Array.of(...pair(width), ...pair(height), ...format, 0, 0, 0, 0),
  ]);
}

/** An update of one rectangle, and what follows that rectangle's head. */
export function rectangle(width: number, height: number, encoding: number, ...more: number[]): Uint8Array {
  const head = [...pair(width), ...pair(height), ...pair(encoding >> 16), ...pair(encoding)];
  return Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, ...head, ...more);
}

export function pair(value: number): [number, number] {
  return [(value >> 8) & 255, value & 255];
}
