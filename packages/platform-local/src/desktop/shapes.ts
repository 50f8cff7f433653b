import type { Rect } from '@streamspace/rfb';
import type { Colour, Surface } from './surface.js';

/** Every shape is drawn from its signed distance: within half a pixel of the edge lies what makes it smooth. */
const coverage = (distance: number): number => Math.max(0, Math.min(1, 0.5 - distance));

/** Distance of a pixel's centre to the edge of a rounded rectangle; negative inside. */
function roundedDistance(rect: Rect, radius: number, x: number, y: number): number {
  const fromX = Math.abs(x + 0.5 - rect.x - rect.width / 2) - rect.width / 2 + radius;
  const fromY = Math.abs(y + 0.5 - rect.y - rect.height / 2) - rect.height / 2 + radius;
  // Only at the corners is it a distance to a point; `Math.hypot` is many times slower than this.
  if (fromX > 0 && fromY > 0) return Math.sqrt(fromX * fromX + fromY * fromY) - radius;
  return Math.max(fromX, fromY) - radius;
}

function eachPixel(rect: Rect, grow: number, visit: (x: number, y: number) => void): void {
  for (let y = Math.floor(rect.y - grow); y < rect.y + rect.height + grow; y++) {
    for (let x = Math.floor(rect.x - grow); x < rect.x + rect.width + grow; x++) visit(x, y);
  }
}

export function fillRounded(surface: Surface, rect: Rect, radius: number, colour: Colour, alpha = 1): void {
  eachPixel(rect, 1, (x, y) => {
    surface.blend(x, y, colour, coverage(roundedDistance(rect, radius, x, y)) * alpha);
  });
}

/** A line of `thickness` along the inner edge. */
export function strokeRounded(
  surface: Surface,
  rect: Rect,
  radius: number,
  thickness: number,
  colour: Colour,
  alpha = 1,
): void {
  eachPixel(rect, 1, (x, y) => {
    const distance = roundedDistance(rect, radius, x, y);
    surface.blend(x, y, colour, (coverage(distance) - coverage(distance + thickness)) * alpha);
  });
}

/** What falls below a rounded rectangle: strongest at its edge, gone at `blur` pixels from it. */
export function dropShadow(
  surface: Surface,
  rect: Rect,
  radius: number,
  blur: number,
  colour: Colour,
  alpha: number,
): void {
  eachPixel(rect, blur, (x, y) => {
    const distance = roundedDistance(rect, radius, x, y);
    const left = Math.max(0, Math.min(1, 1 - distance / blur));
    surface.blend(x, y, colour, left * left * left * alpha);
  });
}

export function fillDisc(surface: Surface, x: number, y: number, radius: number, colour: Colour): void {
  strokeLine(surface, x, y, x, y, radius, colour);
}

/** A line with round ends; `radius` is half its thickness. Coordinates are of pixel centres. */
export function strokeLine(
  surface: Surface,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
  radius: number,
  colour: Colour,
): Rect {
  const left = Math.floor(Math.min(fromX, toX) - radius - 1);
  const top = Math.floor(Math.min(fromY, toY) - radius - 1);
  const right = Math.ceil(Math.max(fromX, toX) + radius + 1);
  const bottom = Math.ceil(Math.max(fromY, toY) + radius + 1);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const distance = segmentDistance(x, y, fromX, fromY, toX, toY) - radius;
      surface.blend(x, y, colour, coverage(distance));
    }
  }
  return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

export function segmentDistance(
  x: number,
  y: number,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): number {
  const alongX = toX - fromX;
  const alongY = toY - fromY;
  const length = alongX * alongX + alongY * alongY;
  const part =
    length === 0 ? 0 : Math.max(0, Math.min(1, ((x - fromX) * alongX + (y - fromY) * alongY) / length));
  const offX = x - fromX - part * alongX;
  const offY = y - fromY - part * alongY;
  return Math.sqrt(offX * offX + offY * offY);
}
