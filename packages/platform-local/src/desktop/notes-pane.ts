import { characterOf, Keysym, type Rect } from '@streamspace/rfb';
import type { Note } from './note.js';
import type { Screen } from './screen.js';
import { fillRounded, strokeRounded } from './shapes.js';
import { Colours, Letters, LINE_HEIGHT } from './theme.js';
import { wrap, type Line } from './wrap.js';

const FACE = Letters.body;
const TEXT_TOP = 6;
const WINDOW_RADIUS = 12;
const PLACEHOLDER = 'Click anywhere and type. It is kept.';

/** One line as it was last drawn; `caret` is in pixels from the left, or absent. */
interface Row {
  readonly text: string;
  readonly caret: number | undefined;
  readonly soft: boolean;
}

export interface NotesEvents {
  /** The text is another one. */
  changed(): void;
  /** Ctrl+C: the text is to go to the viewers' clipboards. */
  copied(text: string): void;
  /** There is no room for what was typed. */
  refused(): void;
}

/** The text box. It draws the lines that differ from what is on the screen, and scrolls by moving pixels. */
export class NotesPane {
  readonly note: Note;
  #screen: Screen;
  readonly #events: NotesEvents;
  #lines: Line[] = [];
  #first = 0;
  #rows: (Row | undefined)[] = [];
  #focused = true;
  /** Where Up and Down aim at, in pixels, while they follow each other. */
  #aim: number | undefined;
  #scrollbar = '';

  constructor(screen: Screen, note: Note, events: NotesEvents) {
    this.#screen = screen;
    this.note = note;
    this.#events = events;
    this.move(screen);
  }

  /** Goes on, on another screen. */
  move(screen: Screen): void {
    this.#screen = screen;
    this.#rows = [];
    this.#scrollbar = '';
    this.#drawFocus();
    this.#layOut();
    this.#reveal();
    this.#draw();
  }

  set focused(focused: boolean) {
    if (focused === this.#focused) return;
    this.#focused = focused;
    this.#drawFocus();
    this.#draw();
  }

  /** Puts the caret where the pointer is. */
  click(x: number, y: number): void {
    this.focused = true;
    const { page } = this.#screen.layout;
    const row = this.#first + Math.floor((y - page.y) / LINE_HEIGHT);
    this.#aim = undefined;
    this.note.caret = this.#positionAt(Math.max(0, Math.min(this.#lines.length - 1, row)), x - page.x);
    this.#reveal();
    this.#draw();
  }

  /** Wheel: shows other lines and leaves the caret where it is. */
  scroll(lines: number): void {
    this.#scrollTo(this.#first + lines);
    this.#draw();
  }

  insert(text: string): void {
    this.focused = true;
    const clean = text.replace(/\r\n?/g, '\n').replace(/[^\n\t\u0020-\u007e\u00a0-\u{10ffff}]/gu, '');
    if (clean === '') return;
    if (this.note.insert(clean)) this.#edited();
    else this.#events.refused();
  }

  /** A key was pressed; `control` says whether Ctrl is held. Answers whether it means something here. */
  key(keysym: number, control: boolean): boolean {
    if (control) return this.#shortcut(keysym);
    const character = characterOf(keysym);
    if (character !== undefined) {
      this.insert(character);
      return true;
    }
    const { note } = this;
    const line = this.#lineOfCaret();
    const pageful = Math.max(1, this.#visible - 1);
    switch (keysym) {
      case Keysym.enter:
      case Keysym.keypadEnter:
        this.insert('\n');
        return true;
      case Keysym.tab:
        this.insert('    ');
        return true;
      case Keysym.backspace:
        return this.#editedIf(note.backspace());
      case Keysym.delete:
        return this.#editedIf(note.delete());
      case Keysym.left:
        return this.#goTo(note.before());
      case Keysym.right:
        return this.#goTo(note.after());
      case Keysym.home:
        return this.#goTo(this.#lines[line]?.start ?? 0);
      case Keysym.end:
        return this.#goTo(this.#lines[line]?.end ?? 0);
      case Keysym.up:
        return this.#goBy(-1);
      case Keysym.down:
        return this.#goBy(1);
      case Keysym.pageUp:
        return this.#goBy(-pageful);
      case Keysym.pageDown:
        return this.#goBy(pageful);
      default:
        return false;
    }
  }

  #shortcut(keysym: number): boolean {
    if (keysym === 0x63 || keysym === 0x43) {
      this.#events.copied(this.note.text);
      return true;
    }
    if (keysym === Keysym.home) return this.#goTo(0);
    if (keysym === Keysym.end) return this.#goTo(this.note.text.length);
    return false;
  }

  #editedIf(changed: boolean): true {
    this.focused = true;
    if (changed) this.#edited();
    return true;
  }

  #edited(): void {
    this.#aim = undefined;
    this.#layOut();
    this.#reveal();
    this.#draw();
    this.#events.changed();
  }

  #goTo(position: number): true {
    this.focused = true;
    this.#aim = undefined;
    this.note.caret = position;
    this.#reveal();
    this.#draw();
    return true;
  }

  #goBy(lines: number): true {
    const line = this.#lineOfCaret();
    const aim = this.#aim ?? this.#caretX(line);
    const target = Math.max(0, Math.min(this.#lines.length - 1, line + lines));
    this.#goTo(this.#positionAt(target, aim));
    this.#aim = aim;
    return true;
  }

  get #visible(): number {
    return Math.floor(this.#screen.layout.page.height / LINE_HEIGHT);
  }

  #layOut(): void {
    this.#lines = wrap(this.note.text, FACE, this.#screen.layout.page.width);
    this.#scrollTo(this.#first);
  }

  #reveal(): void {
    const line = this.#lineOfCaret();
    this.#scrollTo(Math.max(line - this.#visible + 1, Math.min(line, this.#first)));
  }

  /** Shows `first` as the top line. What stays visible is moved, the rest is drawn later. */
  #scrollTo(first: number): void {
    const target = Math.max(0, Math.min(first, this.#lines.length - this.#visible));
    const by = target - this.#first;
    this.#first = target;
    if (by === 0 || this.#rows.length === 0) return;
    const staying = this.#visible - Math.abs(by);
    if (staying <= 0) {
      this.#rows = [];
      return;
    }
    const upper = this.#rowRect(0);
    const lower = this.#rowRect(Math.abs(by));
    const [from, to] = by > 0 ? [lower, upper] : [upper, lower];
    const area = { ...to, height: staying * LINE_HEIGHT };
    this.#screen.surface.copy(this.#screen.surface, { ...area, y: from.y }, area.x, area.y);
    this.#screen.events.moved(area, from.x, from.y);
    const fresh = Array.from({ length: Math.abs(by) }, () => undefined);
    this.#rows =
      by > 0
        ? [...this.#rows.slice(by, this.#visible), ...fresh]
        : [...fresh, ...this.#rows.slice(0, staying)];
  }

  #lineOfCaret(): number {
    const { caret } = this.note;
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lines[middle]?.start ?? 0) <= caret) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #caretX(line: number): number {
    const { start = 0, end = 0 } = this.#lines[line] ?? {};
    return FACE.measure(this.note.text.slice(start, Math.min(end, this.note.caret)));
  }

  #positionAt(line: number, x: number): number {
    const { start = 0, end = 0 } = this.#lines[line] ?? {};
    let position = start;
    let left = 0;
    for (const character of this.note.text.slice(start, end)) {
      const advance = FACE.advance(character);
      if (left + advance / 2 > x) break;
      left += advance;
      position += character.length;
    }
    return position;
  }

  #rowRect(row: number): Rect {
    const { page } = this.#screen.layout;
    // A little wider than the page: a caret or the bow of a letter may reach beyond the text.
    return { x: page.x - 4, y: page.y + row * LINE_HEIGHT, width: page.width + 8, height: LINE_HEIGHT };
  }

  #draw(): void {
    const caretLine = this.#lineOfCaret();
    const { text } = this.note;
    for (let index = 0; index < this.#visible; index++) {
      const number = this.#first + index;
      const line = this.#lines[number];
      const caret = this.#focused && number === caretLine ? this.#caretX(number) : undefined;
      const soft = text === '' && number === 0;
      const shown = soft
        ? FACE.fit(PLACEHOLDER, this.#screen.layout.page.width)
        : line
          ? text.slice(line.start, line.end)
          : '';
      this.#drawRow(index, { text: shown, caret, soft });
    }
    this.#drawScrollbar();
  }

  #drawRow(index: number, row: Row): void {
    const shown = this.#rows[index];
    if (shown && shown.text === row.text && shown.caret === row.caret && shown.soft === row.soft) return;
    this.#rows[index] = row;
    const rect = this.#rowRect(index);
    const left = shown && shown.soft === row.soft ? changedFrom(shown, row) : 0;
    const right = shown ? Math.max(widthOf(shown), widthOf(row)) + 12 : rect.width;
    const dirty = {
      ...rect,
      x: rect.x + Math.max(0, left),
      width: Math.min(rect.width, right) - Math.max(0, left),
    };
    const { surface } = this.#screen;
    surface.fill(dirty, Colours.window);
    surface.fill({ ...dirty, y: rect.y + LINE_HEIGHT - 2, height: 1 }, Colours.rule);
    const colour = row.soft ? Colours.inkSoft : Colours.ink;
    FACE.draw(surface, row.text, rect.x + 4, rect.y + TEXT_TOP, colour, dirty);
    if (row.caret !== undefined) {
      surface.fill({ x: rect.x + 4 + row.caret, y: rect.y + 2, width: 2, height: 18 }, Colours.accent);
    }
    this.#screen.damaged(dirty);
  }

  #drawScrollbar(): void {
    const { page, notes } = this.#screen.layout;
    const track = { x: notes.x + notes.width - 13, y: page.y, width: 5, height: page.height };
    const total = Math.max(this.#lines.length, this.#visible);
    const height = Math.max(24, Math.round((track.height * this.#visible) / total));
    const span = Math.max(1, total - this.#visible);
    const y = track.y + Math.round(((track.height - height) * this.#first) / span);
    const shown = total > this.#visible ? `${y} ${height}` : '';
    if (shown === this.#scrollbar) return;
    this.#scrollbar = shown;
    this.#screen.surface.fill(track, Colours.window);
    if (shown !== '') fillRounded(this.#screen.surface, { ...track, y, height }, 2.5, 0xc3cad8);
    this.#screen.damaged(track);
  }

  /** A line around the window says where keys go. */
  #drawFocus(): void {
    const { notes } = this.#screen.layout;
    const { surface } = this.#screen;
    const edges = borderOf(notes);
    for (const edge of edges) this.#screen.restore(edge);
    if (this.#focused) strokeRounded(surface, notes, WINDOW_RADIUS, 2, Colours.accent);
    for (const edge of edges) this.#screen.damaged(edge);
  }
}

function widthOf(row: Row): number {
  return Math.max(FACE.measure(row.text), row.caret ?? 0);
}

/** Where two versions of a row begin to differ, in pixels from the left of its rectangle, less a little. */
function changedFrom(before: Row, after: Row): number {
  let same = 0;
  while (same < before.text.length && before.text[same] === after.text[same]) same += 1;
  const text = FACE.measure(before.text.slice(0, same));
  const differs = before.text === after.text ? Infinity : text;
  return Math.min(differs, before.caret ?? Infinity, after.caret ?? Infinity) - 4;
}

/** The outer pixels of a window, its corners included, as rectangles. */
function borderOf(rect: Rect): Rect[] {
  const { x, y, width, height } = rect;
  const right = x + width;
  const bottom = y + height;
  const corner = WINDOW_RADIUS;
  return [
    { x: x - 1, y: y - 1, width: width + 2, height: corner },
    { x: x - 1, y: bottom + 1 - corner, width: width + 2, height: corner },
    { x: x - 1, y: y + corner - 1, width: 4, height: height + 2 - 2 * corner },
    { x: right - 3, y: y + corner - 1, width: 4, height: height + 2 - 2 * corner },
  ];
}
