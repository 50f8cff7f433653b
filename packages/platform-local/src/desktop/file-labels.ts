import type { Rect } from '@streamspace/rfb';
import { TITLE_HEIGHT, type Layout } from './layout.js';
import { Label, type Screen } from './screen.js';
import { Colours, Letters } from './theme.js';

/** A file that follows a window. */
export type KeptFileName = 'notes.txt' | 'drawing.png';

const WINDOWS = { 'notes.txt': 'notes', 'drawing.png': 'paint' } as const satisfies Record<
  KeptFileName,
  keyof Layout
>;
const FILES: readonly KeptFileName[] = ['notes.txt', 'drawing.png'];
const NOT_SAVED = 'not saved';
/** Room for the longest text. */
const WIDTH = 110;

/** In each window's title, on the right: the file that it is kept in, or that it is not. */
export class FileLabels {
  readonly #unsaved = new Set<KeptFileName>();
  readonly #labels = new Map<KeptFileName, Label>();

  constructor(screen: Screen) {
    this.move(screen);
  }

  /** Goes on, on another screen. */
  move(screen: Screen): void {
    for (const file of FILES) {
      const area = areaIn(screen.layout[WINDOWS[file]]);
      this.#labels.set(file, new Label(screen, area, Letters.small, Colours.inkSoft, 'right'));
      this.#draw(file);
    }
  }

  show(file: KeptFileName, isSaved: boolean): void {
    if (isSaved) this.#unsaved.delete(file);
    else this.#unsaved.add(file);
    this.#draw(file);
  }

  #draw(file: KeptFileName): void {
    const label = this.#labels.get(file);
    if (this.#unsaved.has(file)) label?.show(NOT_SAVED, Colours.warning);
    else label?.show(file);
  }
}

/** Clear of the line around the window and of the one below its title. */
function areaIn(window: Rect): Rect {
  const above = 12;
  return {
    x: window.x + window.width - 20 - WIDTH,
    y: window.y + above,
    width: WIDTH,
    height: TITLE_HEIGHT - 2 * above,
  };
}
