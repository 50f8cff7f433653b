import { area, bounds, contains, intersect, isEmpty, type Rect } from './rect.js';

/** A part of the desktop that moved: `to` now shows what was at (`fromX`, `fromY`). */
export interface Copy {
  readonly to: Rect;
  readonly fromX: number;
  readonly fromY: number;
}

/** Rectangles kept per viewer; beyond it the two that waste least are merged. */
export const MAX_DAMAGE_RECTANGLES = 32;
/** Moves kept per viewer until they are sent; beyond it they become plain damage. */
export const MAX_PENDING_COPIES = 8;
/** Two rectangles become one where that sends at most so many pixels more: a rectangle costs a header, too. */
const MERGE_WASTE_PIXELS = 512;

/**
 * What one viewer has not seen yet. It stays small however far behind the viewer is: what is sent are the pixels of
 * the moment of sending, so that a slow viewer gets newer pixels and not more of them.
 *
 * The invariant: once the pending copies are carried out in order on what the viewer has, everything outside the
 * damaged rectangles equals the desktop.
 */
export class Damage {
  #rects: Rect[] = [];
  #copies: Copy[] = [];

  get isEmpty(): boolean {
    return this.#rects.length === 0 && this.#copies.length === 0;
  }

  add(rect: Rect): void {
    if (isEmpty(rect)) return;
    let grown = rect;
    for (let index = this.#rects.length - 1; index >= 0; index--) {
      const other = this.#rects[index];
      if (!other) continue;
      if (contains(other, grown)) return;
      const together = bounds(other, grown);
      if (area(together) <= area(other) + area(grown) + MERGE_WASTE_PIXELS) {
        this.#rects.splice(index, 1);
        grown = together;
        index = this.#rects.length;
      }
    }
    this.#rects.push(grown);
    if (this.#rects.length > MAX_DAMAGE_RECTANGLES) this.#mergeCheapest();
  }

  /** The desktop moved a part of itself. What was damaged at the source is damaged at the target as well. */
  move(copy: Copy): void {
    const source = { ...copy.to, x: copy.fromX, y: copy.fromY };
    for (const rect of [...this.#rects]) {
      const stale = intersect(rect, source);
      this.add({ ...stale, x: stale.x + copy.to.x - copy.fromX, y: stale.y + copy.to.y - copy.fromY });
    }
    this.#copies.push(copy);
    if (this.#copies.length > MAX_PENDING_COPIES) this.dissolveCopies();
  }

  /** Turns pending copies into damage, for a viewer that cannot be sent them. */
  dissolveCopies(): void {
    const copies = this.#copies;
    this.#copies = [];
    for (const copy of copies) this.add(copy.to);
  }

  /** Takes what is pending inside `view`; what is outside stays. Copies are taken whole. */
  take(view: Rect): { copies: Copy[]; rects: Rect[] } {
    const rects: Rect[] = [];
    const rest: Rect[] = [];
    for (const rect of this.#rects) {
      const visible = intersect(rect, view);
      if (!isEmpty(visible)) rects.push(visible);
      rest.push(...subtract(rect, visible));
    }
    const copies = this.#copies;
    this.#copies = [];
    this.#rects = [];
    for (const rect of rest) this.add(rect);
    return { copies, rects };
  }

  clear(): void {
    this.#rects = [];
    this.#copies = [];
  }

  #mergeCheapest(): void {
    let best: { first: number; second: number; together: Rect; waste: number } | undefined;
    for (let first = 0; first < this.#rects.length; first++) {
      for (let second = first + 1; second < this.#rects.length; second++) {
        const a = this.#rects[first];
        const b = this.#rects[second];
        if (!a || !b) continue;
        const together = bounds(a, b);
        const waste = area(together) - area(a) - area(b);
        if (!best || waste < best.waste) best = { first, second, together, waste };
      }
    }
    if (!best) return;
    this.#rects.splice(best.second, 1);
    this.#rects.splice(best.first, 1);
    this.add(best.together);
  }
}

/** `rect` without `hole`, which lies inside it or is empty. */
function subtract(rect: Rect, hole: Rect): Rect[] {
  if (isEmpty(hole)) return [rect];
  const right = rect.x + rect.width;
  const bottom = rect.y + rect.height;
  const parts = [
    { x: rect.x, y: rect.y, width: rect.width, height: hole.y - rect.y },
    { x: rect.x, y: hole.y + hole.height, width: rect.width, height: bottom - hole.y - hole.height },
    { x: rect.x, y: hole.y, width: hole.x - rect.x, height: hole.height },
    { x: hole.x + hole.width, y: hole.y, width: right - hole.x - hole.width, height: hole.height },
  ];
  return parts.filter((part) => !isEmpty(part));
}
