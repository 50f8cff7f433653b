import type { Rect } from '@streamspace/rfb';

/** Sizes that the built-in desktop can have, in pixels. */
export const SMALLEST_SCREEN = { width: 640, height: 480 } as const;
export const LARGEST_SCREEN = { width: 3840, height: 2160 } as const;
export const DEFAULT_SCREEN = { width: 1280, height: 800 } as const;

export const TITLE_HEIGHT = 42;
export const TOOLBAR_HEIGHT = 54;

/** Where everything is on a screen of one size. */
export interface Layout {
  readonly screen: Rect;
  readonly bar: Rect;
  readonly barClock: Rect;
  readonly clock: Rect;
  readonly notes: Rect;
  /** The part of the notes that holds text. */
  readonly page: Rect;
  readonly paint: Rect;
  readonly toolbar: Rect;
  readonly canvas: Rect;
  readonly footer: Rect;
}

export function isPossible(width: number, height: number): boolean {
  return (
    width >= SMALLEST_SCREEN.width &&
    height >= SMALLEST_SCREEN.height &&
    width <= LARGEST_SCREEN.width &&
    height <= LARGEST_SCREEN.height
  );
}

export function layoutFor(width: number, height: number): Layout {
  const margin = width >= 1100 && height >= 700 ? 28 : 14;
  const bar = { x: 0, y: 0, width, height: 40 };
  const footer = { x: margin, y: height - 42, width: width - 2 * margin, height: 30 };
  const top = bar.height + margin;
  const bottom = footer.y - Math.round(margin / 2);
  const left = Math.min(520, Math.max(250, Math.round((width - 3 * margin) * 0.36)));
  const clock = { x: margin, y: top, width: left, height: margin === 28 ? 148 : 116 };
  const notesTop = clock.y + clock.height + margin;
  const notes = { x: margin, y: notesTop, width: left, height: bottom - notesTop };
  const paintX = margin * 2 + left;
  const paint = { x: paintX, y: top, width: width - paintX - margin, height: bottom - top };
  const toolbar = { x: paint.x, y: paint.y + TITLE_HEIGHT, width: paint.width, height: TOOLBAR_HEIGHT };
  const canvasTop = toolbar.y + toolbar.height;
  return {
    screen: { x: 0, y: 0, width, height },
    bar,
    barClock: { x: width - 260, y: 0, width: 260, height: bar.height },
    clock,
    notes,
    page: {
      x: notes.x + 20,
      y: notes.y + TITLE_HEIGHT + 12,
      width: notes.width - 40,
      height: notes.height - TITLE_HEIGHT - 24,
    },
    paint,
    toolbar,
    canvas: {
      x: paint.x + 2,
      y: canvasTop,
      width: paint.width - 4,
      height: paint.y + paint.height - canvasTop - 10,
    },
    footer,
  };
}
