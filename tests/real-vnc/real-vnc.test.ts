import { Encoding } from '@streamspace/rfb';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasBrowser, openBrowser, type TestBrowser } from '../browser/support/browser.js';
import { startOwnServer, type OwnServer } from './support/own-server.js';
import { pathTo } from './support/real-vnc-path.js';
import {
  hasVncServers,
  MULTI_CLICK_MS,
  SCREEN,
  startX11vnc,
  startXtigervnc,
  type RealDesktop,
  type ResizingDesktop,
} from './support/real-vnc-servers.js';
import { checksumOf, novncViewer, smallViewer, type Viewer } from './support/real-vnc-viewers.js';

const control = { role: 'control', clipboard: 'both' } as const;
const SOON = { timeout: 30_000 };
const poll = (ask: () => unknown, interval = 50) => expect.poll(ask, { ...SOON, interval });

type Path = Awaited<ReturnType<typeof pathTo>>;

const whole = `${SCREEN.width}x${SCREEN.height}`;

describe.skipIf(!hasVncServers())('Through control plane, tunnel, agent and filter', () => {
  let xtigervnc: RealDesktop;
  let x11vnc: ResizingDesktop;
  let own: OwnServer;
  let path: Path;
  /** What went wrong where nobody was told. */
  const errors: string[] = [];
  const ends: (() => PromiseLike<void>)[] = [];
  let browser: TestBrowser | undefined;
  let viewer: Viewer | undefined;

  beforeAll(async () => {
    xtigervnc = await startXtigervnc();
    ends.push(() => xtigervnc[Symbol.asyncDispose]());
    x11vnc = await startX11vnc();
    ends.push(() => x11vnc[Symbol.asyncDispose]());
    own = await startOwnServer();
    ends.push(() => own[Symbol.asyncDispose]());
    path = await pathTo(errors, {
      own: { port: own.port, policy: control },
      xtigervnc: { port: xtigervnc.port, policy: control },
      watched: { port: xtigervnc.port, policy: { role: 'view', clipboard: 'none' } },
      quiet: { port: xtigervnc.port, policy: { role: 'control', clipboard: 'out' } },
      x11vnc: { port: x11vnc.port, policy: control },
    });
    ends.push(() => path.close());
  }, 120_000);

  async function leave(): Promise<void> {
    await viewer?.[Symbol.asyncDispose]();
    viewer = undefined;
    await browser?.[Symbol.asyncDispose]();
    browser = undefined;
  }

  afterEach(leave, 30_000);

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    expect(errors).toEqual([]);
  }, 60_000);

  async function small(session: string): Promise<Viewer> {
    viewer = await smallViewer(await path.url(session));
    await seen(viewer);
    return viewer;
  }

  async function novnc(session: string): Promise<Viewer> {
    browser = await openBrowser(path.origin, { viewport: SCREEN });
    viewer = await novncViewer(browser.page, path.origin, await path.url(session));
    await seen(viewer);
    return viewer;
  }

  const seen = (viewer: Viewer) => poll(async () => (await viewer.terminal()).width).toBeGreaterThan(200);
  const middleOf = async (viewer: Viewer) => {
    const { x, y, width, height } = await viewer.terminal();
    return { x: x + (width >> 1), y: y + (height >> 1) };
  };

  /**
   * Selects a word by a double click, which the desktop copies. Again, as a person would: two clicks that a busy server
   * has dealt with within the same millisecond are no double click to xterm, and x11vnc looks after the clipboard only
   * from two seconds after its first viewer came.
   */
  async function copy(viewer: Viewer, desktop: RealDesktop): Promise<void> {
    const word = await desktop.word();
    const middle = await middleOf(viewer);
    const clicked = async (): Promise<string | undefined> => {
      await viewer.doubleClick(middle);
      const there = async (): Promise<boolean> => (await viewer.clipboard()) === word;
      await vi.waitUntil(there, { timeout: 2 * MULTI_CLICK_MS }).catch(() => undefined);
      return viewer.clipboard();
    };
    await poll(clicked, MULTI_CLICK_MS).toBe(word);
  }

  /** What a person does in a while: types, moves a window, copies, pastes. */
  async function work(viewer: Viewer, desktop: RealDesktop, who: string): Promise<void> {
    await copy(viewer, desktop);

    await viewer.type(`typed by ${who}\n`);
    await poll(() => desktop.lines()).toContain(`typed by ${who}\n`);

    // A server takes the text when it comes to it, and pastes what it has: nothing tells the viewer when.
    await poll(async () => {
      await viewer.sendClipboard(`pasted by ${who}`);
      await viewer.paste();
      await viewer.type('\n');
      return (await desktop.lines()).includes(`pasted by ${who}\n`);
    }, 800).toBe(true);

    await moveTerminal(viewer);
  }

  /** Drags the terminal by its title bar, to the right or back. */
  async function moveTerminal(viewer: Viewer): Promise<void> {
    const before = await viewer.terminal();
    const by = before.x > 100 ? -60 : 60;
    const title = { x: before.x + (before.width >> 1), y: before.y - 10 };
    await viewer.point(false, title);
    await viewer.point(true, title);
    // The window manager takes the pointer some time after the first motion: go on until the window has followed.
    let turn = 0;
    await poll(async () => {
      await viewer.point(true, { x: title.x + by + (turn++ % 2), y: title.y });
      return Math.abs((await viewer.terminal()).x - before.x);
    }).toBeGreaterThan(30);
    await viewer.point(false, { x: title.x + by, y: title.y });
    // As large as it was, but for what a picture in JPEG blurs, and elsewhere: what was under it is seen again.
    await poll(async () => {
      const { width, height } = await viewer.terminal();
      return Math.abs(width - before.width) + Math.abs(height - before.height);
    }).toBeLessThan(16);
  }

  describe('Xtigervnc', () => {
    /** Runs when the viewer has left: noVNC that fits the desktop to its page would do so again. */
    async function restored(): Promise<void> {
      await using last = await smallViewer(await path.url('xtigervnc'));
      await last.resize(SCREEN.width, SCREEN.height);
      await poll(() => last.size()).toBe(whole);
    }

    it('is worked with by a raw RFB client over a WebSocket', async () => {
      await work(await small('xtigervnc'), xtigervnc, 'a client');
    });

    it.skipIf(!hasBrowser())('is worked with by noVNC', async () => {
      await work(await novnc('xtigervnc'), xtigervnc, 'novnc');
      expect(browser?.complaints).toEqual([]);
    });

    it('takes another size from a raw RFB client', async () => {
      const viewer = await small('xtigervnc');
      await viewer.resize(900, 500);
      await poll(() => viewer.size()).toBe('900x500');
      await seen(viewer);
      await leave();
      await restored();
    });

    it.skipIf(!hasBrowser())('takes another size from noVNC', async () => {
      const viewer = await novnc('xtigervnc');
      await viewer.resize(1000, 640);
      await poll(() => viewer.size()).toBe('1000x640');
      await seen(viewer);
      expect(browser?.complaints).toEqual([]);
      await leave();
      await restored();
    });

    it.skipIf(!hasBrowser())('is seen and not touched by noVNC that may only watch', async () => {
      const viewer = await novnc('watched');
      await viewer.type('typed by nobody\n');
      await viewer.resize(1000, 640);
      // What another one types, later, is there; by then the watcher's keys would have been.
      await using other = await smallViewer(await path.url('xtigervnc'));
      await other.type('typed by another\n');
      await poll(() => xtigervnc.lines()).toContain('typed by another\n');
      expect(await xtigervnc.lines()).not.toContain('nobody');
      expect(await viewer.size()).toBe(whole);
      expect(browser?.complaints).toEqual([]);
    });

    it.skipIf(!hasBrowser())('gives texts to noVNC that may copy, and takes none from it', async () => {
      const viewer = await novnc('quiet');
      await copy(viewer, xtigervnc);
      await viewer.sendClipboard('smuggled');
      await viewer.paste();
      await viewer.type('\ntyped after that\n');
      await poll(() => xtigervnc.lines()).toContain('typed after that\n');
      expect(await xtigervnc.lines()).not.toContain('smuggled');
    });
  });

  describe('x11vnc', () => {
    it('is worked with by a raw RFB client over a WebSocket', async () => {
      await work(await small('x11vnc'), x11vnc, 'a client');
    });

    it.skipIf(!hasBrowser())('is worked with by noVNC', async () => {
      await work(await novnc('x11vnc'), x11vnc, 'novnc');
      expect(browser?.complaints).toEqual([]);
    });

    // It takes no size from a viewer, and tells viewers when its X server has got another one.
    it('tells a raw RFB client that it has another size', async () => {
      const viewer = await small('x11vnc');
      await sizeAndBack(viewer);
    });

    it.skipIf(!hasBrowser())('tells noVNC that it has another size', async () => {
      const viewer = await novnc('x11vnc');
      await sizeAndBack(viewer);
      expect(browser?.complaints).toEqual([]);
    });

    async function sizeAndBack(viewer: Viewer): Promise<void> {
      await x11vnc.resize(720, 450);
      await poll(() => viewer.size()).toBe('720x450');
      await seen(viewer);
      await x11vnc.resize(SCREEN.width, SCREEN.height);
      await poll(() => viewer.size()).toBe(whole);
      await seen(viewer);
    }
  });

  describe('ZRLE', () => {
    it.each(['xtigervnc', 'x11vnc'])('of %s is the same picture as its Hextile', async (session) => {
      await using hextile = await smallViewer(await path.url(session));
      await using zrle = await smallViewer(await path.url(session), Encoding.zrle);
      await seen(hextile);
      await seen(zrle);
      await poll(async () => (await zrle.checksum()) === (await hextile.checksum())).toBe(true);
    });

    it.skipIf(!hasBrowser())('of our own server is drawn by noVNC to the last pixel', async () => {
      browser = await openBrowser(path.origin, { viewport: SCREEN });
      const shown = (viewer = await novncViewer(browser.page, path.origin, await path.url('own')));
      for (let turn = 0; turn < 6; turn++) {
        await poll(() => shown.checksum()).toBe(checksumOf(own.framebuffer));
        own.paint(turn);
      }
      await poll(() => shown.checksum()).toBe(checksumOf(own.framebuffer));
      expect(own.deflated).toBeGreaterThan(10);
      expect(browser.complaints).toEqual([]);
    });
  });
});
