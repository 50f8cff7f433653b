import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, openBrowser, type TestBrowser } from '../browser/support/browser.js';
import { pathTo } from './support/real-vnc-path.js';
import { hasVncServers, SCREEN, startXtigervnc, WORD, type RealDesktop } from './support/real-vnc-servers.js';
import { novncViewer, smallViewer, type Viewer } from './support/real-vnc-viewers.js';

const control = { role: 'control', clipboard: 'both' } as const;
const poll = (ask: () => unknown, interval = 50) => expect.poll(ask, { timeout: 12_000, interval });

type Path = Awaited<ReturnType<typeof pathTo>>;

describe.skipIf(!hasVncServers())('Through hub, tunnel, agent and filter', () => {
  let desktops: Record<'xtigervnc', RealDesktop>;
  let path: Path;
  let browser: TestBrowser | undefined;
  let viewer: Viewer | undefined;

  beforeAll(async () => {
    const xtigervnc = await startXtigervnc();
    desktops = { xtigervnc };
    path = await pathTo({
      xtigervnc: { port: xtigervnc.port, policy: control },
      watched: { port: xtigervnc.port, policy: { role: 'view', clipboard: 'none' } },
      quiet: { port: xtigervnc.port, policy: { role: 'control', clipboard: 'out' } },
    });
  }, 20_000);

  afterEach(async () => {
    await viewer?.[Symbol.asyncDispose]();
    viewer = undefined;
    await browser?.[Symbol.asyncDispose]();
    browser = undefined;
  });

  afterAll(async () => {
    await path.close();
    await Promise.all(Object.values(desktops).map((desktop) => desktop[Symbol.asyncDispose]()));
    expect(path.errors).toEqual([]);
  });

  async function small(session: string): Promise<Viewer> {
    viewer = await smallViewer(path.url(session));
    await seen(viewer);
    return viewer;
  }

  async function novnc(session: string): Promise<Viewer> {
    browser = await openBrowser(path.origin, { viewport: SCREEN });
    viewer = await novncViewer(browser.page, path.origin, path.url(session));
    await seen(viewer);
    return viewer;
  }

  const seen = (viewer: Viewer) => poll(async () => (await viewer.terminal()).width).toBeGreaterThan(200);
  const middleOf = async (viewer: Viewer) => {
    const { x, y, width, height } = await viewer.terminal();
    return { x: x + (width >> 1), y: y + (height >> 1) };
  };

  /** What a person does in a while: types, moves a window, copies, pastes. */
  async function work(viewer: Viewer, desktop: RealDesktop, who: string): Promise<void> {
    const middle = await middleOf(viewer);
    await viewer.doubleClick(middle);
    await poll(() => viewer.clipboard()).toBe(WORD);

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
  }

  describe('Xtigervnc', () => {
    afterEach(async () => {
      const restored = await smallViewer(path.url('xtigervnc'));
      await restored.resize(SCREEN.width, SCREEN.height);
      await poll(() => restored.size()).toBe(`${SCREEN.width}x${SCREEN.height}`);
      await restored[Symbol.asyncDispose]();
    });

    it('is worked with by a raw RFB client over a WebSocket', async () => {
      await work(await small('xtigervnc'), desktops.xtigervnc, 'a client');
    });

    it.skipIf(!hasBrowser())('is worked with by noVNC', async () => {
      await work(await novnc('xtigervnc'), desktops.xtigervnc, 'novnc');
      expect(browser?.complaints).toEqual([]);
    });

    it('takes another size from a raw RFB client', async () => {
      const viewer = await small('xtigervnc');
      await viewer.resize(900, 500);
      await poll(() => viewer.size()).toBe('900x500');
      await seen(viewer);
    });

    it.skipIf(!hasBrowser())('takes another size from noVNC', async () => {
      const viewer = await novnc('xtigervnc');
      await viewer.resize(1000, 640);
      await poll(() => viewer.size()).toBe('1000x640');
      await seen(viewer);
    });

    it.skipIf(!hasBrowser())('is seen and not touched by noVNC that may only watch', async () => {
      const viewer = await novnc('watched');
      await viewer.type('typed by nobody\n');
      await viewer.resize(1000, 640);
      // What another one types, later, is there; by then the watcher's keys would have been.
      const other = await smallViewer(path.url('xtigervnc'));
      await other.type('typed by another\n');
      await poll(() => desktops.xtigervnc.lines()).toContain('typed by another\n');
      await other[Symbol.asyncDispose]();
      expect(await desktops.xtigervnc.lines()).not.toContain('nobody');
      expect(await viewer.size()).toBe(`${SCREEN.width}x${SCREEN.height}`);
      expect(browser?.complaints).toEqual([]);
    });

    it.skipIf(!hasBrowser())('gives texts to noVNC that may copy, and takes none from it', async () => {
      const viewer = await novnc('quiet');
      await viewer.doubleClick(await middleOf(viewer));
      await poll(() => viewer.clipboard()).toBe(WORD);
      await viewer.sendClipboard('smuggled');
      await viewer.paste();
      await viewer.type('\ntyped after that\n');
      await poll(() => desktops.xtigervnc.lines()).toContain('typed after that\n');
      expect(await desktops.xtigervnc.lines()).not.toContain('smuggled');
    });
  });
});
