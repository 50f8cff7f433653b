import {
  intersect,
  isEmpty,
  Keysym,
  type CursorImage,
  type Desktop,
  type DesktopSeat,
  type DesktopView,
  type Rect,
} from '@streamspace/rfb';
import { ClockPane } from './clock-pane.js';
import { ARROW, BEAM, CROSS } from './cursors.js';
import { FileLabels, type KeptFileName } from './file-labels.js';
import { isPossible, layoutFor } from './layout.js';
import { Note } from './note.js';
import { NotesPane } from './notes-pane.js';
import { between, PaintPane, type Point } from './paint-pane.js';
import { paintScenery } from './scenery.js';
import { Screen, type ScreenEvents } from './screen.js';
import type { Surface } from './surface.js';

export interface BuiltInDesktopOptions {
  /** The session's name, as it is shown. */
  readonly session: string;
  /** Where the session's files are, as it is shown. */
  readonly home: string;
  /** In pixels; see `isPossible`. */
  readonly width: number;
  readonly height: number;
  readonly text: string;
  /** Of the text as UTF-8; what is typed beyond it is refused with a bell. */
  readonly textBytes: number;
  readonly drawing: Surface | undefined;
  readonly now: () => Date;
  readonly textChanged: () => void;
  readonly drawingChanged: () => void;
}

const LEFT_BUTTON = 1;
const WHEEL_UP = 8;
const WHEEL_DOWN = 16;
const WHEEL_LINES = 3;

/**
 * A small desktop of its own: a clock, a text box, a paint pad. All viewers share it.
 *
 * It draws when something happens. The one timer is the clock's, and it runs only while somebody looks.
 * States: open → closed. Closing shows every viewer out.
 */
export class BuiltInDesktop implements Desktop {
  readonly name: string;
  readonly #options: BuiltInDesktopOptions;
  readonly #views = new Map<DesktopView, Seat>();
  readonly #events: ScreenEvents;
  readonly notes: NotesPane;
  readonly paint: PaintPane;
  screen: Screen;
  /** What Ctrl+V inserts. */
  clipboard = '';
  readonly #files: FileLabels;
  #clock: ClockPane;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: BuiltInDesktopOptions) {
    this.#options = options;
    this.name = `StreamSpace: ${options.session}`;
    this.#events = {
      damaged: (area) => this.#tell((view) => view.damaged(area)),
      moved: (to, fromX, fromY) => this.#tell((view) => view.moved(to, fromX, fromY)),
    };
    this.screen = this.#newScreen(options.width, options.height);
    this.#clock = new ClockPane(this.screen);
    this.#clock.show(options.now());
    this.notes = new NotesPane(this.screen, new Note(options.text, options.textBytes), {
      changed: options.textChanged,
      copied: (text) => this.#copied(text),
      refused: () => this.#tell((view) => view.bell()),
    });
    this.paint = new PaintPane(this.screen, options.drawing, options.drawingChanged);
    this.#files = new FileLabels(this.screen);
  }

  get framebuffer(): Surface {
    return this.screen.surface;
  }

  get viewers(): number {
    return this.#views.size;
  }

  attach(view: DesktopView): DesktopSeat {
    if (this.#closed) throw new Error('the desktop is closed');
    const seat = new Seat(this, view);
    this.#views.set(view, seat);
    this.#tick();
    return seat;
  }

  /** Called by seats. */
  detach(view: DesktopView): void {
    this.#views.delete(view);
    if (this.#views.size === 0) this.#stopClock();
  }

  /** Answers whether the screen has this size now. */
  resize(width: number, height: number): boolean {
    if (!isPossible(width, height)) return false;
    if (width === this.framebuffer.width && height === this.framebuffer.height) return true;
    this.screen = this.#newScreen(width, height);
    this.#clock = new ClockPane(this.screen);
    this.#clock.show(this.#options.now());
    this.notes.move(this.screen);
    this.paint.move(this.screen);
    this.#files.move(this.screen);
    this.#tell((view) => view.resized());
    return true;
  }

  /** Says where a file's name stands that what is shown is not in the file, or no more. */
  showSaved(file: KeptFileName, isSaved: boolean): void {
    if (!this.#closed) this.#files.show(file, isSaved);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopClock();
    this.#tell((view) => view.closed());
  }

  #newScreen(width: number, height: number): Screen {
    const layout = layoutFor(width, height);
    const scenery = paintScenery(layout, this.#options.session, this.#options.home);
    return new Screen(layout, scenery, this.#events);
  }

  #tell(what: (view: DesktopView) => void): void {
    for (const view of this.#views.keys()) what(view);
  }

  #copied(text: string): void {
    this.clipboard = text;
    this.#tell((view) => view.clipboard(text));
  }

  /** Shows the time and comes back when the second is over. */
  #tick(): void {
    this.#stopClock();
    const now = this.#options.now();
    this.#clock.show(now);
    this.#timer = setTimeout(() => this.#tick(), 1000 - now.getMilliseconds());
  }

  #stopClock(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** One viewer's hands: what it holds down, and where its stroke has come to. */
class Seat implements DesktopSeat {
  cursor: CursorImage = ARROW;
  readonly #desktop: BuiltInDesktop;
  readonly #view: DesktopView;
  #buttons = 0;
  /** Where the pointer was, and how far the stroke is drawn: half the way there, so that it can be rounded. */
  #stroke: { at: Point; drawn: Point } | undefined;
  readonly #controls = new Set<number>();

  constructor(desktop: BuiltInDesktop, view: DesktopView) {
    this.#desktop = desktop;
    this.#view = view;
  }

  pointer({ x, y, buttons }: { x: number; y: number; buttons: number }): void {
    const pressed = buttons & ~this.#buttons;
    this.#buttons = buttons;
    this.#point(x, y);
    if (pressed & LEFT_BUTTON) this.#press(x, y);
    else if (this.#stroke) this.#strokeTo({ x, y });
    if (!(buttons & LEFT_BUTTON)) this.#endStroke();
    if (this.#isIn(this.#desktop.screen.layout.notes, x, y)) {
      if (pressed & WHEEL_UP) this.#desktop.notes.scroll(-WHEEL_LINES);
      if (pressed & WHEEL_DOWN) this.#desktop.notes.scroll(WHEEL_LINES);
    }
  }

  key({ keysym, down }: { keysym: number; down: boolean }): void {
    if (keysym === Keysym.controlLeft || keysym === Keysym.controlRight) {
      if (down) this.#controls.add(keysym);
      else this.#controls.delete(keysym);
      return;
    }
    if (!down) return;
    const control = this.#controls.size > 0;
    const { notes, clipboard } = this.#desktop;
    if (control && (keysym === 0x76 || keysym === 0x56)) notes.insert(clipboard);
    else notes.key(keysym, control);
  }

  clipboard(text: string): void {
    this.#desktop.clipboard = text;
  }

  resize(width: number, height: number): boolean {
    return this.#desktop.resize(width, height);
  }

  detach(): void {
    this.#endStroke();
    this.#desktop.detach(this.#view);
  }

  #press(x: number, y: number): void {
    const { notes, paint, screen } = this.#desktop;
    const { layout } = screen;
    const inNotes = this.#isIn(layout.notes, x, y);
    if (inNotes) notes.click(x, y);
    else notes.focused = false;
    if (this.#isIn(layout.toolbar, x, y)) paint.press(x, y);
    if (this.#isIn(layout.canvas, x, y)) {
      const at = { x, y };
      this.#stroke = { at, drawn: at };
      paint.stroke(at, at, at);
    }
  }

  #strokeTo(to: Point): void {
    if (!this.#stroke) return;
    const { at, drawn } = this.#stroke;
    if (at.x === to.x && at.y === to.y) return;
    const middle = between(at, to, 0.5);
    this.#desktop.paint.stroke(drawn, at, middle);
    this.#stroke = { at: to, drawn: middle };
  }

  #endStroke(): void {
    if (!this.#stroke) return;
    const { at, drawn } = this.#stroke;
    this.#stroke = undefined;
    if (at !== drawn) this.#desktop.paint.stroke(drawn, drawn, at);
  }

  #point(x: number, y: number): void {
    const { layout } = this.#desktop.screen;
    const cursor = this.#isIn(layout.page, x, y) ? BEAM : this.#isIn(layout.canvas, x, y) ? CROSS : ARROW;
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.#view.cursorChanged();
  }

  #isIn(rect: Rect, x: number, y: number): boolean {
    return !isEmpty(intersect(rect, { x, y, width: 1, height: 1 }));
  }
}
