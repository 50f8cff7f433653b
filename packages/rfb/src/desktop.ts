import type { Rect } from './rect.js';

/** Pixels row by row, each 0xRRGGBB (the high byte counts for nothing). */
export interface Framebuffer {
  readonly width: number;
  readonly height: number;
  /** `width * height` pixels. */
  readonly pixels: Uint32Array;
}

/** A pointer's shape. */
export interface CursorImage {
  readonly width: number;
  readonly height: number;
  readonly hotX: number;
  readonly hotY: number;
  /** As in {@link Framebuffer}. */
  readonly pixels: Uint32Array;
  /** One byte for each pixel: 0 is transparent. */
  readonly mask: Uint8Array;
}

/** What {@link serveRfb} serves: a screen that viewers look at and work with. */
export interface Desktop {
  /** Shown to viewers. Characters outside ISO 8859-1 become question marks. */
  readonly name: string;
  /** What is on the screen now; another object once the size has changed. Read only between events. */
  readonly framebuffer: Framebuffer;
  /** A viewer sits down; events for it begin. May throw, which refuses the viewer. */
  attach(view: DesktopView): DesktopSeat;
}

/** What a desktop tells one viewer. Calls are cheap, never throw and may come in any number. */
export interface DesktopView {
  /** Pixels in this area have changed. */
  damaged(area: Rect): void;
  /** The framebuffer was changed so that `to` holds what was at (`fromX`, `fromY`); saves sending the pixels. */
  moved(to: Rect, fromX: number, fromY: number): void;
  /** `framebuffer` is another one, of another size. */
  resized(): void;
  /** The seat's `cursor` is another one. */
  cursorChanged(): void;
  /** The desktop's clipboard is this text now. */
  clipboard(text: string): void;
  bell(): void;
  /** The desktop is gone; the viewer is shown out in an orderly way. */
  closed(): void;
}

/** One viewer's place: input from it, and what is its own. Keys and buttons that it holds down end with it. */
export interface DesktopSeat {
  /** Bits 0 to 2: left, middle, right; 3 and 4: wheel up and down. The position is always on the screen. */
  pointer(event: { readonly x: number; readonly y: number; readonly buttons: number }): void;
  /** `keysym` is an X11 key symbol. */
  key(event: { readonly keysym: number; readonly down: boolean }): void;
  clipboard(text: string): void;
  /**
   * Asked for another size. Answers whether it was done (before it returns); without this method sizes are fixed.
   */
  resize?(width: number, height: number): boolean;
  /** The shape of this viewer's pointer. */
  readonly cursor: CursorImage | undefined;
  /** The viewer has left: no event after this. Called once. */
  detach(): void;
}
