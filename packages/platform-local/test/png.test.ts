import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Surface } from '../src/desktop/surface.js';
import { decodePng, encodePng } from '../src/png.js';

function picture(width: number, height: number): Surface {
  const surface = new Surface(width, height);
  surface.pixels.forEach((_, index) => (surface.pixels[index] = Math.imul(index + 1, 0x9e3779b1) & 0xffffff));
  return surface;
}

/** Writes another header, and other rows, into a written file; check sums are made anew. */
async function tampered(change: (file: Buffer) => void): Promise<Buffer> {
  const file = await encodePng(picture(3, 2));
  change(file);
  return file;
}

describe('Pictures', () => {
  it.each([
    [1, 1],
    [7, 5],
    [640, 3],
  ])('of %i x %i come back as they were written', async (width, height) => {
    const surface = picture(width, height);
    expect(await decodePng(await encodePng(surface))).toEqual(surface);
  });

  it('are those of the moment when they were asked for', async () => {
    const surface = picture(4, 4);
    const before = surface.pixels.slice();
    const writing = encodePng(surface);
    surface.fill(surface.area, 0);
    expect((await decodePng(await writing)).pixels).toEqual(before);
  });

  it('start with the signature and a true-colour header', async () => {
    const file = await encodePng(picture(3, 2));
    expect(file.toString('hex', 0, 26)).toBe('89504e470d0a1a0a0000000d4948445200000003000000020802');
    expect(file.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082');
  });

  it.each([
    ['no PNG', () => Promise.resolve(Buffer.from('hello'))],
    ['one cut short', async () => (await encodePng(picture(3, 2))).subarray(0, 50)],
    ['one with a wrong check sum', () => tampered((file) => file.writeUInt8(9, 18))],
    ['an empty one', () => Promise.resolve(Buffer.alloc(0))],
    ['one without a header', () => Promise.resolve(Buffer.from('89504e470d0a1a0a', 'hex'))],
    ['compressed noise', () => Promise.resolve(deflateSync('noise'))],
  ])('cannot be read from %s', async (_, file) => {
    await expect(decodePng(await file())).rejects.toThrow(/PNG/);
  });
});
