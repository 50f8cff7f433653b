import type { Rect } from '@streamspace/rfb';
import type { Layout } from './layout.js';
import { Surface, type Colour } from './surface.js';
import type { Typeface } from './typeface.js';

/** Told what a pane has changed on the screen. */
export interface ScreenEvents {
  damaged(area: Rect): void;
  moved(to: Rect, fromX: number, fromY: number): void;
}

/** What panes draw on: the pixels that viewers see, above a scenery that never changes. */
export class Screen {
  readonly surface: Surface;

  constructor(
    readonly layout: Layout,
    readonly scenery: Surface,
    readonly events: ScreenEvents,
  ) {
    this.surface = new Surface(scenery.width, scenery.height);
    this.restore(scenery.area);
  }

  /** Brings the scenery back. The caller says that the area is damaged once it has drawn on it. */
  restore(area: Rect): void {
    this.surface.copy(this.scenery, area, area.x, area.y);
  }

  damaged(area: Rect): void {
    this.events.damaged(area);
  }
}

/** A line of text on the scenery that is drawn again only when it says something else. */
export class Label {
  #shown: string | undefined;

  /** @param align where the text stands in its area */
  constructor(
    readonly screen: Screen,
    readonly area: Rect,
    readonly face: Typeface,
    readonly colour: Colour,
    readonly align: 'left' | 'right' = 'left',
  ) {}

  /** @param colour another than its own, together with another text */
  show(text: string, colour = this.colour): void {
    if (text === this.#shown) return;
    this.#shown = text;
    const { area, face, screen } = this;
    const shift = this.align === 'left' ? 0 : area.width - face.measure(text);
    const top = area.y + Math.round((area.height - face.capHeight) / 2);
    screen.restore(area);
    face.draw(screen.surface, text, area.x + shift, top, colour, area);
    screen.damaged(area);
  }
}
