import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { eventually } from './support/eventually.js';
import { hasBrowser, openBrowser, type TestBrowser } from './support/browser.js';
import { buildEmbed, type BuiltPage } from './support/build-web.js';
import { FakeControlPlane } from './support/fake-control-plane.js';

describe.runIf(hasBrowser())('a viewer in somebody else’s page', () => {
  let embed: BuiltPage;
  let fake: FakeControlPlane;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    embed = await buildEmbed();
    fake = await FakeControlPlane.start(embed.folder);
    browser = await openBrowser(fake.url);
    page = browser.page;
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
    await embed[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    fake.desktop.manner = 'open';
    fake.desktop.keys.length = 0;
    fake.desktop.pixelsAsked = 0;
    fake.addSession('desk');
    await page.goto(fake.url);
  });
  afterEach(async () => {
    await page.evaluate('viewer.close()');
    await eventually(() => fake.desktop.viewers).toBe(0);
    expect(browser.strayRequests).toEqual([]);
  });

  /** Shows a desktop; `options` is the text of an object. */
  const show = (options: string): Promise<unknown> => page.evaluate(`show(${options})`);
  const showDesk = (more = ''): Promise<unknown> => show(`{ url: '${fake.viewerUrl('desk')}', ${more} }`);
  /** Likewise, with an address for each of several attempts. */
  const showDeskAgain = (more = ''): Promise<unknown> => {
    const urls = JSON.stringify(Array.from({ length: 20 }, () => fake.viewerUrl('desk')));
    return show(`{ url: (() => { const urls = ${urls}; return () => urls.shift(); })(), ${more} }`);
  };
  const states = (): Promise<string[]> => page.evaluate(`statuses.map((status) => status.state)`);
  const last = (): Promise<unknown> => page.evaluate(`viewer.status`);
  const reaches = (state: string) => eventually(last).toMatchObject({ state });

  it('takes the keyboard when the picture appears, and leaves it to a field that has it', async () => {
    await showDesk();
    await reaches('connected');
    await page.keyboard.press('a');
    await eventually(() => fake.desktop.keys).toEqual([0x61]);
    await page.evaluate('viewer.close()');

    await page.locator('#elsewhere').focus();
    await showDesk();
    await reaches('connected');
    await page.keyboard.press('b');
    expect(await page.locator('#elsewhere').inputValue()).toBe('b');
    expect(fake.desktop.keys).toEqual([0x61]);
  });

  it('sends nothing while it only looks, and can be given control', async () => {
    await showDesk('viewOnly: true');
    await reaches('connected');
    await page.evaluate('viewer.focus()');
    await page.keyboard.press('a');
    await page.evaluate('viewer.sendCtrlAltDel()');
    await page.evaluate('viewer.viewOnly = false');
    await page.keyboard.press('b');
    await eventually(() => fake.desktop.keys).toEqual([0x62]);
  });

  it('fits the picture into its element', async () => {
    await showDesk();
    await reaches('connected');
    const box = await page.getByRole('application', { name: 'Remote desktop' }).boundingBox();
    expect(box?.height).toBeCloseTo(400, 0);
    expect(box?.width).toBeCloseTo(640, 0);
  });

  it('does not try again where the server says that there is nothing to see', async () => {
    fake.addSession('desk', { state: 'terminated' });
    await showDesk();
    await reaches('disconnected');
    expect(await last()).toMatchObject({ code: 'not_found', reason: 'The session does not run.' });
    expect(await states()).toEqual(['connecting', 'disconnected']);
  });

  it('gives up on a ticket that was used, since a fixed address cannot have another', async () => {
    await showDesk();
    await reaches('connected');
    fake.desktop.drop();
    await reaches('disconnected');
    expect(await last()).toMatchObject({ code: 'unauthorized' });
    expect(await states()).toEqual(['connecting', 'connected', 'reconnecting', 'disconnected']);
  });

  it('takes a path that swallows everything for lost, once somebody gives input, and connects again', async () => {
    await showDeskAgain('silentMs: 1000');
    await reaches('connected');
    fake.desktop.swallow();
    // Again and again, as people do: the first picture may still be on its way, and answers the first of them.
    await eventually(async () => {
      await page.keyboard.press('a');
      return await states();
    }).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
    const [lost] = await page.evaluate<unknown[]>(
      `statuses.filter((status) => status.state === 'reconnecting')`,
    );
    expect(lost).toMatchObject({ attempt: 1, reason: 'Nothing comes from the desktop any more.' });
    await page.keyboard.press('b');
    await eventually(() => fake.desktop.keys.at(-1)).toBe(0x62);
    await page.evaluate('viewer.close()');
    fake.desktop.drop();
  });

  it('asks for a pixel where input changes nothing, and is content with the answer', async () => {
    await showDesk('silentMs: 1000');
    await reaches('connected');
    const move = async (): Promise<number> => {
      await page.mouse.move(600, 200);
      await page.mouse.move(610, 200);
      return fake.desktop.pixelsAsked;
    };
    await eventually(move).toBeGreaterThan(1);
    await page.keyboard.press('a');
    await eventually(() => fake.desktop.keys).toEqual([0x61]);
    expect(await states()).toEqual(['connecting', 'connected']);
  });

  it('says why it is still connecting', async () => {
    fake.desktop.manner = 'away';
    await showDeskAgain('connectAttempts: 2');
    await reaches('disconnected');
    expect(await page.evaluate('statuses')).toEqual([
      { state: 'connecting' },
      { state: 'connecting', reason: 'The desktop does not answer.' },
      {
        state: 'disconnected',
        code: 'upstream_unavailable',
        reason: 'The desktop does not answer.',
        shouldRetry: true,
      },
    ]);
  });

  it('starts again by itself after it gave up, once the network is back or the tab is looked at', async () => {
    for (const better of [
      `window.dispatchEvent(new Event('online'))`,
      `document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`,
    ]) {
      fake.desktop.manner = 'open';
      await showDeskAgain('reconnectAttempts: 2');
      await reaches('connected');
      fake.desktop.manner = 'away';
      fake.desktop.drop();
      await reaches('disconnected');
      fake.desktop.manner = 'open';
      await page.evaluate(better);
      await reaches('connected');
      await page.evaluate('viewer.close()');
    }
  });

  it('stays where a final ending left it, though the network is back', async () => {
    await showDeskAgain();
    await reaches('connected');
    fake.desktop.drop(4408, 'Nothing happened for 5 minutes. Connect again to go on.');
    await reaches('disconnected');
    expect(await last()).toMatchObject({ code: 'timeout', shouldRetry: false });
    await page.evaluate(
      `window.dispatchEvent(new Event('online')); new Promise((resolve) => setTimeout(resolve))`,
    );
    expect(await states()).toEqual(['connecting', 'connected', 'disconnected']);
  });

  it('gives up on a desktop that asks for a password that nobody has', async () => {
    fake.desktop.manner = 'password';
    await showDesk();
    await reaches('disconnected');
    expect(await last()).toMatchObject({
      code: 'credentials_required',
      reason: 'The desktop asks for: password.',
    });
  });

  it('gives up on a desktop that stays silent', async () => {
    fake.desktop.manner = 'silent';
    await showDesk('connectTimeoutMs: 50, connectAttempts: 1');
    await reaches('disconnected');
    expect(await last()).toMatchObject({
      code: 'connect_timeout',
      reason: expect.stringContaining('Check that its agent runs, and try again.') as string,
    });
  });

  it('gives up where no address can be had, with the reason of whoever was to give it', async () => {
    await show(
      `{ url: () => Promise.reject(Object.assign(new Error('No such session.'), { shouldRetry: false })) }`,
    );
    await reaches('disconnected');
    expect(await last()).toMatchObject({ reason: 'No such session.' });
  });

  it('leaves nothing behind when it is closed, and may be closed at any time', async () => {
    await page.evaluate(`(async () => {
      show({ url: '${fake.viewerUrl('desk')}' });
      await Promise.all([viewer.close(), viewer.close()]);
    })()`);
    expect(await states()).toEqual(['disconnected']);

    await showDesk();
    await reaches('connected');
    await page.evaluate('viewer[Symbol.asyncDispose ?? "close"]()');
    expect(await page.locator('#desktop > *').count()).toBe(0);
    expect(await states()).toEqual(['connecting', 'connected', 'disconnected']);
    await eventually(() => fake.desktop.viewers).toBe(0);
  });
});
