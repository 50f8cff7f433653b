import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { connectRfb, Encoding, keysymOf, Keysym, type Rect } from '@streamspace/rfb';
import { zlibInflater } from '@streamspace/rfb/node';
import { webSocketChannel } from '@streamspace/vnc-tunnel/node';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { TERMINAL_COLOUR } from './real-vnc-servers.js';

const INSERT = 0xff63;
/** How long a quick person holds a button. */
const CLICK_MS = 20;

/** What a person does with a desktop, whatever the viewer is. */
export interface Viewer extends AsyncDisposable {
  type(text: string): Promise<void>;
  /** Pastes what the desktop has as its clipboard into where the keyboard is. */
  paste(): Promise<void>;
  /** The pointer with its left button down or up, from one place to another. */
  point(down: boolean, at: Point): Promise<void>;
  doubleClick(at: Point): Promise<void>;
  sendClipboard(text: string): Promise<void>;
  /** The last text that came from the desktop. */
  clipboard(): Promise<string | undefined>;
  /** A number that stands for all pixels. */
  checksum(): Promise<number>;
  /** Where the terminal is seen; of no size where it is not. */
  terminal(): Promise<Rect>;
  resize(width: number, height: number): Promise<void>;
  size(): Promise<string>;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Our own client, in the place of any that websockify serves. `first` is the encoding that it asks for first. */
export async function smallViewer(url: string, first: number = Encoding.hextile): Promise<Viewer> {
  const ws = new WebSocket(url, 'binary');
  await once(ws, 'open');
  if (ws.protocol !== 'binary') throw new Error(`the subprotocol is ${ws.protocol}, not binary`);
  const channel = webSocketChannel(ws);
  const client = await connectRfb(channel, {
    encodings: [
      ...[first, Encoding.hextile, Encoding.copyRect, Encoding.raw, Encoding.cursor],
      ...[Encoding.desktopSize, Encoding.extendedDesktopSize, Encoding.lastRect],
    ],
    inflater: zlibInflater,
  });
  await client.request(false);
  let failure: unknown;
  const reading = (async () => {
    for (;;) {
      await client.nextUpdate();
      await client.request(true);
    }
  })().catch((error: unknown) => (failure = error));
  const press = async (...keysyms: number[]): Promise<void> => {
    for (const keysym of keysyms) await client.key(true, keysym);
    for (const keysym of keysyms.reverse()) await client.key(false, keysym);
  };
  return {
    async type(text) {
      for (const character of text) await press(character === '\n' ? Keysym.enter : keysymOf(character));
    },
    paste: () => press(Keysym.shiftLeft, INSERT),
    point: (down, { x, y }) => client.pointer(down ? 1 : 0, x, y),
    async doubleClick({ x, y }) {
      for (const buttons of [0, 1, 0, 1, 0]) {
        await client.pointer(buttons, x, y);
        await setTimeout(CLICK_MS);
      }
    },
    sendClipboard: (text) => client.sendCutText(text),
    clipboard: () => Promise.resolve(client.cutText),
    async checksum() {
      if (failure) throw failure as Error;
      return Promise.resolve(checksumOf(client.framebuffer));
    },
    async terminal() {
      if (failure) throw failure as Error;
      return Promise.resolve(boxOf(client.framebuffer, TERMINAL_COLOUR));
    },
    resize: (width, height) => client.resize(width, height),
    size: () => Promise.resolve(`${client.framebuffer.width}x${client.framebuffer.height}`),
    async [Symbol.asyncDispose]() {
      channel.abort();
      await reading;
    },
  };
}

/** Where a colour is. Runs in pages, too, and so uses nothing from outside. */
function boxOf({ width, pixels }: { width: number; pixels: Uint32Array }, colour: number): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  pixels.forEach((pixel, index) => {
    // Some servers send photographs of what they have.
    for (const shift of [16, 8, 0]) {
      if (Math.abs(((pixel >> shift) & 255) - ((colour >> shift) & 255)) > 20) return;
    }
    const x = index % width;
    const y = Math.floor(index / width);
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  return right < 0
    ? { x: 0, y: 0, width: 0, height: 0 }
    : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** FNV-1a over the pixels. Runs in pages, too. */
export function checksumOf({ pixels }: { pixels: Uint32Array }): number {
  return pixels.reduce((hash, pixel) => Math.imul(hash ^ (pixel & 0xffffff), 16777619) >>> 0, 2166136261);
}

/** noVNC as its package has it, in a page. What runs in the page is text: tests are compiled without a browser's types. */
export async function novncViewer(page: Page, origin: string, url: string): Promise<Viewer> {
  await page.goto(origin);
  await page.evaluate(`import('/novnc/core/rfb.js').then(({ default: RFB }) => new Promise((resolve, reject) => {
    window.rfb = new RFB(document.getElementById('screen'), ${JSON.stringify(url)}, { shared: true });
    rfb.addEventListener('connect', () => resolve());
    rfb.addEventListener('disconnect', () => reject(new Error('disconnected')));
    rfb.addEventListener('clipboard', (event) => { window.copied = event.detail.text; });
    rfb.focus();
  }))`);
  const canvas = page.locator('#screen canvas');
  const onPage = async ({ x, y }: Point): Promise<[number, number]> => {
    const box = await canvas.boundingBox();
    return [x + (box?.x ?? 0), y + (box?.y ?? 0)];
  };
  const ofPicture = <Result>(what: string): Promise<Result> =>
    page.evaluate<Result>(`(() => {
      const canvas = document.querySelector('#screen canvas');
      const { width, height } = canvas;
      const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
      const pixels = Uint32Array.from({ length: width * height },
        (_, i) => (data[i * 4] << 16) | (data[i * 4 + 1] << 8) | data[i * 4 + 2]);
      return ${what};
    })()`);
  return {
    async type(text) {
      for (const character of text) await page.keyboard.press(character === '\n' ? 'Enter' : character);
    },
    paste: () => page.keyboard.press('Shift+Insert'),
    async point(down, at) {
      await page.mouse.move(...(await onPage(at)));
      if (down) await page.mouse.down();
      else await page.mouse.up();
    },
    doubleClick: async (at) => page.mouse.dblclick(...(await onPage(at)), { delay: CLICK_MS }),
    sendClipboard: (text) => page.evaluate(`rfb.clipboardPasteFrom(${JSON.stringify(text)})`),
    clipboard: () => page.evaluate<string | undefined>('window.copied'),
    checksum: () => ofPicture<number>(`(${checksumOf.toString()})({ pixels })`),
    terminal: () => ofPicture<Rect>(`(${boxOf.toString()})({ width, pixels }, ${TERMINAL_COLOUR})`),
    async resize(width, height) {
      await page.setViewportSize({ width, height });
      await page.evaluate('rfb.resizeSession = true');
    },
    size: () =>
      page.evaluate<string>(`(() => {
      const canvas = document.querySelector('#screen canvas');
      return canvas.width + 'x' + canvas.height;
    })()`),
    [Symbol.asyncDispose]: async () => {
      await page.evaluate('rfb.disconnect()');
    },
  };
}
