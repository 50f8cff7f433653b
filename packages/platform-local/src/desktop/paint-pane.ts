import { bounds, intersect, isEmpty, type Rect } from '@streamspace/rfb';
import type { Screen } from './screen.js';
import { fillDisc, fillRounded, strokeLine, strokeRounded } from './shapes.js';
import { Surface, type Colour } from './surface.js';
import { BRUSHES, Colours, FIRST_BRUSH, Letters, PAINTS } from './theme.js';

export const PAPER: Colour = 0xffffff;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The point that lies so far on the way, from 0 to 1. */
export function between(from: Point, to: Point, part: number): Point {
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}

/** Straight pieces that a curve between two pointer events is drawn in. */
const CURVE_STEPS = 4;

/** Something in the toolbar that can be pressed. */
interface Tool {
  readonly area: Rect;
  readonly press: () => void;
}

/** The paint pad: a picture, a toolbar, and strokes from one point to the next. */
export class PaintPane {
  /** At least as large as the canvas on the screen; what a smaller screen hides is kept. */
  drawing: Surface;
  #screen: Screen;
  readonly #changed: () => void;
  #colour: Colour = PAINTS[0];
  #brush: number = FIRST_BRUSH;
  #tools: Tool[] = [];

  /** @param changed told after each change of the picture */
  constructor(screen: Screen, drawing: Surface | undefined, changed: () => void) {
    this.#changed = changed;
    this.#screen = screen;
    this.drawing = drawing ?? new Surface(1, 1, PAPER);
    this.move(screen);
  }

  /** Goes on, on another screen. */
  move(screen: Screen): void {
    this.#screen = screen;
    const { canvas } = screen.layout;
    if (this.drawing.width < canvas.width || this.drawing.height < canvas.height) {
      const { width, height } = bounds(this.drawing.area, { ...canvas, x: 0, y: 0 });
      const larger = new Surface(width, height, PAPER);
      larger.copy(this.drawing, this.drawing.area, 0, 0);
      this.drawing = larger;
    }
    this.#tools = this.#layOutTools();
    this.#drawToolbar();
    this.#show(this.drawing.area);
  }

  /** Presses what is there in the toolbar, if anything. */
  press(x: number, y: number): void {
    const point = { x, y, width: 1, height: 1 };
    this.#tools.find((tool) => !isEmpty(intersect(tool.area, point)))?.press();
  }

  /**
   * Draws a curve on the screen from `from` to `to`, bent towards `by`. The same point three times is a dot.
   */
  stroke(from: Point, by: Point, to: Point): void {
    const { canvas } = this.#screen.layout;
    const radius = this.#brush / 2;
    let dirty: Rect = { x: 0, y: 0, width: 0, height: 0 };
    let last = from;
    for (let step = 1; step <= CURVE_STEPS; step++) {
      const next = between(
        between(from, by, step / CURVE_STEPS),
        between(by, to, step / CURVE_STEPS),
        step / CURVE_STEPS,
      );
      const part = strokeLine(
        this.drawing,
        last.x - canvas.x,
        last.y - canvas.y,
        next.x - canvas.x,
        next.y - canvas.y,
        radius,
        this.#colour,
      );
      dirty = bounds(dirty, part);
      last = next;
    }
    this.#show(dirty);
    this.#changed();
  }

  clear(): void {
    this.drawing.fill(this.drawing.area, PAPER);
    this.#show(this.drawing.area);
    this.#changed();
  }

  /** Brings a part of the picture to the screen. */
  #show(part: Rect): void {
    const { canvas } = this.#screen.layout;
    const target = intersect({ ...part, x: part.x + canvas.x, y: part.y + canvas.y }, canvas);
    if (isEmpty(target)) return;
    const source = { ...target, x: target.x - canvas.x, y: target.y - canvas.y };
    this.#screen.surface.copy(this.drawing, source, target.x, target.y);
    this.#screen.damaged(target);
  }

  get #step(): number {
    return Math.max(16, Math.min(36, Math.floor((this.#screen.layout.toolbar.width - 132) / 12.6)));
  }

  /** The squares of the toolbar from left to right: colours, brushes. */
  #square(index: number): Rect {
    const { toolbar } = this.#screen.layout;
    const step = this.#step;
    const gap = index < PAINTS.length ? 0 : Math.round(step * 0.6);
    return { x: toolbar.x + 16 + index * step + gap, y: toolbar.y + 7, width: step, height: 40 };
  }

  get #clearButton(): Rect {
    const { toolbar } = this.#screen.layout;
    return { x: toolbar.x + toolbar.width - 90, y: toolbar.y + 11, width: 72, height: 32 };
  }

  #layOutTools(): Tool[] {
    const choose = (set: () => void): (() => void) => {
      return () => {
        set();
        this.#drawToolbar();
      };
    };
    return [
      ...PAINTS.map((colour, index) => ({
        area: this.#square(index),
        press: choose(() => (this.#colour = colour)),
      })),
      ...BRUSHES.map((brush, index) => ({
        area: this.#square(PAINTS.length + index),
        press: choose(() => (this.#brush = brush)),
      })),
      { area: this.#clearButton, press: () => this.clear() },
    ];
  }

  #drawToolbar(): void {
    const { toolbar } = this.#screen.layout;
    const { surface } = this.#screen;
    const inner = { ...toolbar, x: toolbar.x + 1, width: toolbar.width - 2 };
    surface.fill(inner, Colours.window);
    surface.fill({ ...inner, y: inner.y + inner.height - 1, height: 1 }, Colours.line);
    const radius = Math.min(11, this.#step / 2 - 2);
    PAINTS.forEach((colour, index) => {
      const [x, y] = centre(this.#square(index));
      if (colour === this.#colour) {
        fillDisc(surface, x, y, radius + 4, colour);
        fillDisc(surface, x, y, radius + 2, Colours.window);
        fillDisc(surface, x, y, radius - 0.5, colour);
      } else {
        fillDisc(surface, x, y, radius, colour);
      }
    });
    const divider = this.#square(PAINTS.length).x - Math.round(this.#step * 0.3);
    surface.fill({ x: divider, y: toolbar.y + 14, width: 1, height: toolbar.height - 28 }, Colours.line);
    BRUSHES.forEach((brush, index) => {
      const square = this.#square(PAINTS.length + index);
      const [x, y] = centre(square);
      const chosen = brush === this.#brush;
      if (chosen) {
        const side = Math.min(34, this.#step);
        const back = { x: x - side / 2 + 0.5, y: y - side / 2 + 0.5, width: side, height: side };
        fillRounded(surface, back, 8, Colours.accentSoft);
      }
      const dot = Math.min(brush / 2, this.#step / 2 - 3);
      fillDisc(surface, x, y, dot, chosen ? Colours.accent : Colours.inkSoft);
    });
    const button = this.#clearButton;
    fillRounded(surface, button, 8, Colours.titleBar);
    strokeRounded(surface, button, 8, 1, Colours.line);
    const textX = button.x + Math.round((button.width - Letters.body.measure('Clear')) / 2);
    Letters.body.draw(surface, 'Clear', textX, button.y + 11, Colours.ink);
    this.#screen.damaged(toolbar);
  }
}

function centre(rect: Rect): [number, number] {
  return [Math.round(rect.x + rect.width / 2), Math.round(rect.y + rect.height / 2)];
}
