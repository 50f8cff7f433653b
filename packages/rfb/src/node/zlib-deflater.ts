import { createDeflate } from 'node:zlib';
import type { Deflater } from '../zlib.js';
import { FlushedStream } from './flushed-stream.js';

export interface ZlibDeflaterOptions {
  /** Of zlib: 1 is quick, 9 is small. @default 1 */
  level?: number;
}

/** As a `deflater` of `serveRfb`. It works beside the event loop and holds some 270 KB while it is open. */
export function zlibDeflater({ level = 1 }: ZlibDeflaterOptions = {}): Deflater {
  if (!Number.isInteger(level) || level < 1 || level > 9) {
    throw new RangeError(`level is ${level}; allowed are whole numbers from 1 to 9`);
  }
  const stream = new FlushedStream(createDeflate({ level }));
  // What does not compress grows by far less than it is long.
  return {
    deflate: (bytes) => stream.pass(bytes, 2 * bytes.length + 1024),
    close: () => stream.close(),
  };
}
