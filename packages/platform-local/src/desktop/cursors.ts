import type { CursorImage } from '@streamspace/rfb';

/** `#` is dark, `.` is light, the rest is transparent. */
function image(hotX: number, hotY: number, rows: readonly string[]): CursorImage {
  const width = Math.max(...rows.map((row) => row.length));
  const cells = rows.flatMap((row) => Array.from(row.padEnd(width)));
  return {
    width,
    height: rows.length,
    hotX,
    hotY,
    pixels: Uint32Array.from(cells, (cell) => (cell === '.' ? 0xffffff : 0x16213a)),
    mask: Uint8Array.from(cells, (cell) => (cell === ' ' ? 0 : 1)),
  };
}

export const ARROW = image(1, 1, [
  '..',
  '.#.',
  '.##.',
  '.###.',
  '.####.',
  '.#####.',
  '.######.',
  '.#######.',
  '.########.',
  '.#########.',
  '.##########.',
  '.######.....',
  '.###.##.',
  '.##..###.',
  '.#.  .##.',
  '..   .###.',
  '      .##.',
  '      ....',
]);

export const BEAM = image(4, 9, [
  '.........',
  '.###.###.',
  '....#....',
  ...Array.from({ length: 13 }, () => '   .#.   '),
  '....#....',
  '.###.###.',
  '.........',
]);

export const CROSS = image(9, 9, [
  ...Array.from({ length: 7 }, () => '        .#.'),
  '        ...',
  '........   ........',
  '#######. # .#######',
  '........   ........',
  '        ...',
  ...Array.from({ length: 7 }, () => '        .#.'),
]);
