import type { WebSocket } from 'ws';

const WIDTH = 960;
const HEIGHT = 600;

/**
 * The least RFB server (RFC 6143) that shows something: a picture in Raw encoding that changes with every key, and a
 * clipboard. It exists so that the pages can be tested against states that a real server is hard to bring into.
 */
export class TinyDesktop {
  /** Keysyms that were pressed. */
  readonly keys: number[] = [];
  /** Keysyms that are down now. */
  readonly held = new Set<number>();
  /** Texts that viewers put on the clipboard. */
  readonly pasted: string[] = [];
  /** How it treats the next viewer: `silent` never says a word, `password` asks for one, `away` turns it away. */
  manner: 'open' | 'password' | 'silent' | 'away' = 'open';
  /** How often a viewer asked for one pixel, changed or not. */
  pixelsAsked = 0;
  readonly #viewers = new Set<WebSocket>();

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Closes every viewer's connection; without a code it is cut. */
  drop(code?: number, reason = ''): void {
    for (const socket of this.#viewers) {
      socket.resume();
      if (code === undefined) socket.terminate();
      else socket.close(code, reason);
    }
  }

  /** From now on nothing that the present viewers send is read, not even their goodbye, and nothing is said to them. */
  swallow(): void {
    for (const socket of this.#viewers) socket.pause();
  }

  /** Puts text on the viewers' clipboards. */
  copy(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    const head = Buffer.alloc(8);
    head[0] = 3;
    head.writeUInt32BE(bytes.length, 4);
    for (const socket of this.#viewers) socket.send(Buffer.concat([head, bytes]));
  }

  serve(socket: WebSocket): void {
    if (this.manner === 'away') return socket.close(4502, 'The desktop does not answer.');
    this.#viewers.add(socket);
    socket.on('close', () => this.#viewers.delete(socket));
    let step: 'version' | 'security' | 'init' | 'run' = 'version';
    let unread = Buffer.alloc(0);
    let painted = -1;
    let wanted = false;
    const paint = (): void => {
      if (!wanted || painted === this.keys.length) return;
      wanted = false;
      painted = this.keys.length;
      socket.send(this.#picture());
    };
    const take = (length: number): Buffer | undefined => {
      if (unread.length < length) return undefined;
      const taken = unread.subarray(0, length);
      unread = unread.subarray(length);
      return taken;
    };
    socket.on('message', (data: Buffer) => {
      unread = Buffer.concat([unread, data]);
      for (;;) {
        if (step === 'version') {
          if (!take(12)) return;
          socket.send(Buffer.from([1, this.manner === 'password' ? 2 : 1]));
          step = 'security';
        } else if (step === 'security') {
          if (!take(1)) return;
          // A challenge of 16 bytes (RFC 6143 section 7.2.2), or word that all is well.
          socket.send(Buffer.alloc(this.manner === 'password' ? 16 : 4));
          step = 'init';
        } else if (step === 'init') {
          if (!take(1)) return;
          socket.send(serverInit());
          step = 'run';
        } else {
          const kind = unread[0];
          if (kind === undefined) return;
          if (kind === 0 && !take(20)) return;
          if (kind === 2) {
            if (unread.length < 4 || !take(4 + unread.readUInt16BE(2) * 4)) return;
          }
          if (kind === 3) {
            const request = take(10);
            if (!request) return;
            if (request[1] === 0) painted = -1;
            if (request[1] === 0 && request.readUInt32BE(6) === 0x1_0001) this.pixelsAsked += 1;
            wanted = true;
            paint();
          }
          if (kind === 4) {
            const key = take(8);
            if (!key) return;
            const keysym = key.readUInt32BE(4);
            if (key[1] === 1) this.keys.push(keysym);
            if (key[1] === 1) this.held.add(keysym);
            else this.held.delete(keysym);
            paint();
          }
          if (kind === 5 && !take(6)) return;
          if (kind === 6) {
            if (unread.length < 8) return;
            const text = take(8 + unread.readUInt32BE(4));
            if (!text) return;
            this.pasted.push(text.subarray(8).toString('latin1'));
          }
          if (kind === 1 || kind > 6) return socket.close(4400, 'This desktop knows no such message.');
        }
      }
    });
    if (this.manner !== 'silent') socket.send(Buffer.from('RFB 003.008\n'));
  }

  /** A soft gradient with one square for each key that was pressed. */
  #picture(): Buffer {
    const head = Buffer.alloc(16);
    head.writeUInt16BE(1, 2);
    head.writeUInt16BE(WIDTH, 8);
    head.writeUInt16BE(HEIGHT, 10);
    const pixels = Buffer.alloc(WIDTH * HEIGHT * 4);
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const column = Math.floor((x - 80) / 24);
        const square = y > 280 && y < 300 && x >= 80 && column < this.keys.length && (x - 80) % 24 < 18;
        const colour = square ? 0xffffff : ((40 + y / 10) << 16) | ((70 + x / 12) << 8) | 130;
        pixels.writeUInt32LE(colour, (y * WIDTH + x) * 4);
      }
    }
    return Buffer.concat([head, pixels]);
  }
}

function serverInit(): Buffer {
  const name = Buffer.from('tiny');
  const init = Buffer.alloc(24 + name.length);
  init.writeUInt16BE(WIDTH, 0);
  init.writeUInt16BE(HEIGHT, 2);
  init.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
  init.writeUInt32BE(name.length, 20);
  init.set(name, 24);
  return init;
}
