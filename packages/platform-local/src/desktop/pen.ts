/** Pieces that a curve is drawn in: enough for letters of 100 pixels. */
const CURVE_STEPS = 10;

/** Turns a path into polylines, each x and y in turn. The commands are described in `glyph-table.ts`. */
export function trace(path: string): number[][] {
  const strokes: number[][] = [];
  let x = 0;
  let y = 0;
  for (const [, command = '', list = ''] of path.matchAll(/([MLHVQRD])([^MLHVQRD]*)/g)) {
    const numbers = Array.from(list.matchAll(/-?\d*\.?\d+/g), ([number]) => Number(number));
    const [a = 0, b = 0, c = 0, d = 0] = numbers;
    const stroke = strokes.at(-1) ?? [];
    const end = command === 'H' ? [a, y] : command === 'V' ? [x, a] : command === 'Q' ? [c, d] : [a, b];
    const [endX = 0, endY = 0] = end;
    if (command === 'M') {
      strokes.push([endX, endY]);
    } else if (command === 'Q') {
      curve((t) => [
        (1 - t) ** 2 * x + 2 * t * (1 - t) * a + t * t * endX,
        (1 - t) ** 2 * y + 2 * t * (1 - t) * b + t * t * endY,
      ]);
    } else if (command === 'R') {
      curve((t) => [
        x + (endX - x) * Math.sin((t * Math.PI) / 2),
        y + (endY - y) * (1 - Math.cos((t * Math.PI) / 2)),
      ]);
    } else if (command === 'D') {
      curve((t) => [
        x + (endX - x) * (1 - Math.cos((t * Math.PI) / 2)),
        y + (endY - y) * Math.sin((t * Math.PI) / 2),
      ]);
    } else {
      stroke.push(endX, endY);
    }
    x = endX;
    y = endY;

    function curve(at: (t: number) => [number, number]): void {
      const points = Array.from({ length: CURVE_STEPS }, (_, step) => at((step + 1) / CURVE_STEPS));
      for (const point of points) stroke.push(...point);
    }
  }
  return strokes;
}
