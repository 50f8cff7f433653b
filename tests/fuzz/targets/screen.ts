import { setImmediate as turn } from 'node:timers/promises';
import {
  connectRfb,
  Encoding,
  serveRfb,
  writeEnableContinuousUpdates,
  type CursorImage,
  type RfbClient,
} from '@streamspace/rfb';
import { zlibDeflater, zlibInflater } from '@streamspace/rfb/node';
import { FakeDesktop } from '../rfb/fake-desktop.js';
import { PIXEL_FORMATS } from '../rfb/formats.js';
import type { Random } from '../random.js';
import { slowPipe } from '../rfb/slow-pipe.js';
import { WAIT_MS } from '../peers/sockets.js';
import { must, within, type Target } from '../target.js';

const EVENTS = 40;
const SIDE = 150;
const SIZES: readonly (readonly number[])[] = [
  [],
  [Encoding.desktopSize],
  [Encoding.extendedDesktopSize],
  [Encoding.desktopSize, Encoding.extendedDesktopSize],
];

/** One server, one client, a bad line between them. */
class Session {
  readonly desktop: FakeDesktop;
  readonly client: Promise<RfbClient>;
  readonly serving: Promise<Error | undefined>;
  readonly canResize: boolean;
  readonly #hasCursor: boolean;
  readonly #isContinuous: boolean;
  readonly #channel;
  readonly #random: Random;
  /** Whether the client asks for all of the desktop from now on. */
  #asksForAll = false;

  constructor(random: Random) {
    const format = random.pick(PIXEL_FORMATS);
    const [far, near] = slowPipe(random);
    const size = random.pick(SIZES);
    this.#channel = near;
    this.#random = random.fork();
    this.canResize = size.length > 0;
    this.#hasCursor = random.chance(0.7);
    this.#isContinuous = random.chance(0.4);
    this.desktop = new FakeDesktop(random.fork(), format.bitsPerPixel !== 32, SIDE);
    this.serving = serveRfb(far, this.desktop, { deflater: () => zlibDeflater() });
    this.client = connectRfb(near, {
      pixelFormat: format,
      inflater: () => zlibInflater(),
      encodings: [
        random.pick([Encoding.raw, Encoding.hextile, Encoding.zrle, Encoding.zrle]),
        ...(random.chance(0.8) ? [Encoding.copyRect] : []),
        ...(this.#hasCursor ? [Encoding.cursor] : []),
        ...(this.#isContinuous ? [Encoding.continuousUpdates, Encoding.fence] : []),
        ...size,
      ],
    });
  }

  /** Reads and asks until the connection ends. */
  async look(client: RfbClient): Promise<void> {
    await client.request(false);
    if (this.#isContinuous) await this.#continue();
    for (;;) {
      await client.nextUpdate();
      if (this.#isContinuous && !this.#random.chance(0.2)) continue;
      const part = !this.#asksForAll && this.#random.chance(0.2);
      await client.request(true, part ? this.desktop.framebuffer.somewhere(this.#random) : undefined);
    }
  }

  /** Continuous updates of all that a desktop here can be. */
  #continue(): Promise<void> {
    return this.#channel.write(writeEnableContinuousUpdates(true, { x: 0, y: 0, width: SIDE, height: SIDE }));
  }

  /** What the client shows that is not what the desktop has; `undefined` where it is the same. */
  difference(client: RfbClient): string | undefined {
    return this.desktop.framebuffer.difference(client.framebuffer) ?? this.#cursorDifference(client.cursor);
  }

  #cursorDifference(shown: CursorImage | undefined): string | undefined {
    if (!this.#hasCursor) return undefined;
    const { cursor } = this.desktop;
    const text = (image: CursorImage | undefined): string =>
      image && image.width > 0
        ? [image.width, image.height, image.hotX, image.hotY, ...image.pixels, ...image.mask].join(' ')
        : 'none';
    return text(shown) === text(cursor) ? undefined : 'the cursor is another one';
  }

  /** Waits until the client shows what the desktop has. */
  async settle(client: RfbClient): Promise<void> {
    this.#asksForAll = true;
    const deadline = performance.now() + WAIT_MS;
    for (let wrong = this.difference(client); wrong !== undefined; wrong = this.difference(client)) {
      must(performance.now() < deadline, `the client does not catch up: ${wrong}`);
      await client.request(true);
      for (let turns = 0; turns < 5; turns++) await turn();
    }
  }
}

/** A desktop on which much happens, watched over a bad line: in the end the client shows what there is. */
export const screen: Target = {
  name: 'screen',
  casesPerRound: EVENTS,
  async round(random) {
    const session = new Session(random);
    const client = await within(WAIT_MS, 'the handshake', session.client);
    const looking = session.look(client).catch((error: unknown) => error);
    for (let left = EVENTS; left > 0; left--) {
      session.desktop.happen(session.canResize);
      for (let turns = random.pick([0, 0, 0, 1, 8]); turns > 0; turns--) await turn();
    }
    await Promise.race([session.settle(client), looking.then((error) => Promise.reject(error as Error))]);
    // What was still on its way would show now.
    session.desktop.paint();
    await session.settle(client);
    session.desktop.view!.closed();
    const end = (await within(WAIT_MS, "the client's end", looking)) as { code?: unknown };
    must(end.code === 'truncated', `the client ended with ${String(end)}`);
    await client.close();
    const error = await within(WAIT_MS, "the server's end", session.serving);
    must(error === undefined, `the server ended with ${String(error)}`);
    must(session.desktop.detached === 1, `detached ${session.desktop.detached} times`);
  },
  async [Symbol.asyncDispose]() {},
};
