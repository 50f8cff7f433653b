import { promisify } from 'node:util';
import { crc32, deflate, inflate } from 'node:zlib';
import { Surface } from './desktop/surface.js';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Width or height that is read, in pixels. A larger picture is refused. */
const MOST_SIDE = 8192;
const TRUECOLOUR = 2;
const TRUECOLOUR_ALPHA = 6;
const FILTER_UP = 2;

const deflated = promisify<Uint8Array, { level: number }, Buffer>(deflate);
const inflated = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate);

/** Writes a picture as PNG: 8 bits each of red, green and blue. The picture may change once this has returned. */
export function encodePng(surface: Surface): Promise<Buffer> {
  const { width, height, pixels } = surface;
  const stride = 1 + width * 3;
  const rows = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const start = y * stride;
    rows[start] = FILTER_UP;
    for (let x = 0; x < width; x++) {
      const here = pixels[y * width + x] ?? 0;
      const above = y === 0 ? 0 : (pixels[(y - 1) * width + x] ?? 0);
      const at = start + 1 + x * 3;
      // A Buffer keeps the low eight bits, which is what the filter asks for.
      rows[at] = (here >>> 16) - (above >>> 16);
      rows[at + 1] = ((here >>> 8) & 255) - ((above >>> 8) & 255);
      rows[at + 2] = (here & 255) - (above & 255);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, TRUECOLOUR, 0, 0, 0], 8);
  return deflated(rows, { level: 6 }).then((data) =>
    Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]),
  );
}

/**
 * Reads a picture of 8 bits a channel, with or without alpha, not interlaced: what this package writes, and what most
 * programs that edit it write. Transparent parts come out on white. Rejects for anything else.
 */
export async function decodePng(file: Uint8Array): Promise<Surface> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error('the file is no PNG');
  let header: Buffer | undefined;
  const data: Buffer[] = [];
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    if (at + 12 + length > bytes.length) throw new Error('the PNG is cut short');
    const body = bytes.subarray(at + 4, at + 8 + length);
    if (crc32(body) !== bytes.readUInt32BE(at + 8 + length)) throw new Error('the PNG is damaged');
    const type = body.toString('latin1', 0, 4);
    if (type === 'IHDR') header = body.subarray(4);
    if (type === 'IDAT') data.push(body.subarray(4));
    at += 12 + length;
  }
  if (!header || header.length !== 13) throw new Error('the PNG has no header');
  const width = header.readUInt32BE(0);
  const height = header.readUInt32BE(4);
  const [depth, colourType, , , interlace] = header.subarray(8);
  if (width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE) {
    throw new Error(`the PNG is ${width}x${height}; allowed are 1 to ${MOST_SIDE} pixels a side`);
  }
  if (depth !== 8 || interlace !== 0 || (colourType !== TRUECOLOUR && colourType !== TRUECOLOUR_ALPHA)) {
    throw new Error('the PNG is of another kind than 8-bit true colour, not interlaced');
  }
  const channels = colourType === TRUECOLOUR ? 3 : 4;
  const size = (1 + width * channels) * height;
  const rows = await inflated(Buffer.concat(data), { maxOutputLength: size });
  if (rows.length !== size) throw new Error('the PNG is cut short');
  return unfilter(rows, width, height, channels);
}

function unfilter(rows: Buffer, width: number, height: number, channels: 3 | 4): Surface {
  const surface = new Surface(width, height);
  const stride = width * channels;
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    const filter = rows[start] ?? 0;
    const row = new Uint8Array(rows.subarray(start + 1, start + 1 + stride));
    for (let index = 0; index < stride; index++) {
      const left = index < channels ? 0 : (row[index - channels] ?? 0);
      const up = above[index] ?? 0;
      const corner = index < channels ? 0 : (above[index - channels] ?? 0);
      row[index] = (row[index] ?? 0) + predict(filter, left, up, corner);
    }
    for (let x = 0; x < width; x++) {
      const [red = 0, green = 0, blue = 0, alpha = 255] = row.subarray(x * channels, (x + 1) * channels);
      surface.blend(x, y, 0xffffff, 1);
      surface.blend(x, y, (red << 16) | (green << 8) | blue, alpha / 255);
    }
    above = row;
  }
  return surface;
}

function predict(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const estimate = left + up - corner;
      const toLeft = Math.abs(estimate - left);
      const toUp = Math.abs(estimate - up);
      const toCorner = Math.abs(estimate - corner);
      return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }
    default:
      throw new Error(`the PNG uses filter ${filter}; allowed are 0 to 4`);
  }
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
