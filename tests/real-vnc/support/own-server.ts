import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { serveRfb, type Desktop, type DesktopView } from '@streamspace/rfb';
import { zlibDeflater } from '@streamspace/rfb/node';
import { socketChannel } from '@streamspace/vnc-tunnel/node';

/** Our own RFB server, for clients that others wrote to read. */
export interface OwnServer extends AsyncDisposable {
  readonly port: number;
  readonly framebuffer: Desktop['framebuffer'];
  /** Rectangles that went through zlib. */
  readonly deflated: number;
  /** Paints a part anew, in another way for each turn. */
  paint(turn: number): void;
}

const WIDTH = 333;
const HEIGHT = 210;

export async function startOwnServer(): Promise<OwnServer> {
  const pixels = new Uint32Array(WIDTH * HEIGHT);
  const views = new Set<DesktopView>();
  paintAll(pixels);
  const desktop: Desktop = {
    name: 'own',
    framebuffer: { width: WIDTH, height: HEIGHT, pixels },
    attach(view) {
      views.add(view);
      return {
        pointer: () => undefined,
        key: () => undefined,
        clipboard: () => undefined,
        cursor: undefined,
        detach: () => void views.delete(view),
      };
    },
  };
  let deflated = 0;
  const deflater = () => {
    const { deflate, close } = zlibDeflater();
    return { deflate: (bytes: Uint8Array) => ((deflated += 1), deflate(bytes)), close };
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void serveRfb(socketChannel(socket), desktop, { deflater });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    framebuffer: desktop.framebuffer,
    get deflated() {
      return deflated;
    },
    paint(turn) {
      const rect = { x: 20 + 7 * turn, y: 10 + 5 * turn, width: 150, height: 90 };
      for (let y = rect.y; y < rect.y + rect.height; y++) {
        for (let x = rect.x; x < rect.x + rect.width; x++) pixels[y * WIDTH + x] = texture(turn, x, y);
      }
      for (const view of views) view.damaged(rect);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Bands of every texture, so that tiles of every kind are sent. */
function paintAll(pixels: Uint32Array): void {
  pixels.forEach((_, index) => {
    const [x, y] = [index % WIDTH, Math.floor(index / WIDTH)];
    pixels[index] = texture(Math.floor(x / 48), x, y);
  });
}

const PALETTE = [0x102030, 0xf0f0e0, 0xc04020, 0x2080c0];

/** One colour, stripes, four colours, many in runs, a gradient, noise. */
function texture(kind: number, x: number, y: number): number {
  const noise = Math.imul((x + 1) * 7919 + y, 0x9e3779b1) & 0xffffff;
  switch (kind % 6) {
    case 0:
      return 0x336699;
    case 1:
      return y % 5 === 0 ? 0xffffff : 0x224466;
    case 2:
      return PALETTE[(x * 3 + y) & 3] ?? 0;
    case 3:
      return Math.imul((x >> 3) + 31 * (y >> 2), 0x45d9f3b) & 0xf0f0f0;
    case 4:
      return ((x & 255) << 16) | ((y & 255) << 8) | ((x + y) & 255);
    default:
      return noise;
  }
}
