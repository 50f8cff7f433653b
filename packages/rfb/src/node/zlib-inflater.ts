import { createInflate } from 'node:zlib';
import type { Inflater } from '../zlib.js';
import { FlushedStream } from './flushed-stream.js';

/** As an `inflater` of `connectRfb`. It works beside the event loop and holds some 50 KB while it is open. */
export function zlibInflater(): Inflater {
  const stream = new FlushedStream(createInflate());
  return {
    inflate: (bytes, most) => stream.pass(bytes, most),
    close: () => stream.close(),
  };
}
