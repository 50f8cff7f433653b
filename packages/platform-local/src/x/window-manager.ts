import { setTimeout as pause } from 'node:timers/promises';
import { type ByteChannel, connectUnix } from '@streamspace/agent-core';
import { COOKIE_NAME } from './authority.js';
import { socketOf } from './display-files.js';

const ASK_EVERY_MS = 15;
/** Set on the root window by every window manager that follows EWMH, once it manages windows. */
const SIGN = '_NET_SUPPORTING_WM_CHECK';
const INTERN_ATOM = 16;
const GET_PROPERTY = 20;

/**
 * Resolves with `true` once a window manager runs on a display, and with `false` when the signal aborts first or the
 * display goes away. A program that opens its window while the window manager starts may never see it on the screen.
 */
export async function windowManagerRuns(
  display: number,
  cookie: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  let channel: ByteChannel | undefined;
  const cut = (): void => channel?.abort();
  signal.addEventListener('abort', cut, { once: true });
  try {
    channel = await connectUnix({ path: socketOf(display), signal });
    const x = new XClient(channel);
    const root = await x.connect(cookie);
    const sign = await x.atom(SIGN);
    while (!(await x.hasProperty(root, sign))) await pause(ASK_EVERY_MS, undefined, { signal });
    return true;
  } catch {
    return false;
  } finally {
    signal.removeEventListener('abort', cut);
    channel?.abort();
  }
}

/** As much of the X protocol (version 11, little-endian) as it takes to look at a property. */
class XClient {
  #unread: Buffer = Buffer.alloc(0);

  constructor(readonly channel: ByteChannel) {}

  /** @returns the root window */
  async connect(cookie: Uint8Array): Promise<number> {
    const head = Buffer.alloc(12);
    head.write('l');
    head.writeUInt16LE(11, 2);
    head.writeUInt16LE(COOKIE_NAME.length, 6);
    head.writeUInt16LE(cookie.length, 8);
    await this.channel.write(Buffer.concat([head, padded(Buffer.from(COOKIE_NAME)), padded(cookie)]));
    const answer = await this.#take(8);
    const setup = await this.#take(answer.readUInt16LE(6) * 4);
    if (answer[0] !== 1) throw new Error('the X server refuses the connection');
    const [vendorBytes, formats] = [setup.readUInt16LE(16), setup.readUInt8(21)];
    return setup.readUInt32LE(32 + Math.ceil(vendorBytes / 4) * 4 + formats * 8);
  }

  async atom(name: string): Promise<number> {
    const fields = Buffer.alloc(4);
    fields.writeUInt16LE(name.length);
    return (await this.#ask(INTERN_ATOM, Buffer.concat([fields, padded(Buffer.from(name))]))).readUInt32LE(8);
  }

  async hasProperty(window: number, property: number): Promise<boolean> {
    const fields = Buffer.alloc(20);
    fields.writeUInt32LE(window);
    fields.writeUInt32LE(property, 4);
    // Its type is none where it is not set.
    return (await this.#ask(GET_PROPERTY, fields)).readUInt32LE(8) !== 0;
  }

  async #ask(opcode: number, fields: Uint8Array): Promise<Buffer> {
    const head = Buffer.alloc(4);
    head.writeUInt8(opcode);
    head.writeUInt16LE(1 + fields.length / 4, 2);
    await this.channel.write(Buffer.concat([head, fields]));
    const reply = await this.#take(32);
    if (reply[0] !== 1) throw new Error('the X server answers with an error');
    await this.#take(reply.readUInt32LE(4) * 4);
    return reply;
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#unread.length < length) {
      const bytes = await this.channel.read();
      if (!bytes) throw new Error('the X server has closed the connection');
      this.#unread = Buffer.concat([this.#unread, bytes]);
    }
    const taken = this.#unread.subarray(0, length);
    this.#unread = this.#unread.subarray(length);
    return taken;
  }
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
