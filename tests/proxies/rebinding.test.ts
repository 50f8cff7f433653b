import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { hasBrowser, type TestBrowser } from '../browser/support/browser.js';
import { startProduct, type Product } from '../browser/support/product.js';
import { openChromium } from './support/chromium.js';
import { ask, codeOf, type Answer } from './support/raw-client.js';

/** The attacker's name. It resolves to this machine, as after a change of its DNS record. */
const EVIL = 'evil.example';
const PASSWORD = 'a short sentence is fine';
/** Wrong passwords of one user from one address after which the next attempt is refused. */
const FAILURES = 10;

/**
 * DNS rebinding: the page comes from the attacker's server; then the name resolves to 127.0.0.1, and the page's scripts
 * talk to the product under the page's own origin.
 */
describe.runIf(hasBrowser())('a page whose name was rebound to the product', () => {
  let product: Product;
  let attacker: Server;
  let browser: TestBrowser;
  let page: Page;
  let origin: string;

  beforeAll(async () => {
    product = await startProduct();
    origin = `http://${EVIL}:${product.port}`;
    const setupToken = new URL(product.link).searchParams.get('token');
    const answer = await send('/api/v1/setup', { token: setupToken, username: 'ada', password: PASSWORD });
    expect(answer.status).toBe(201);
    attacker = createServer((_request, response) =>
      response.setHeader('content-type', 'text/html').end('<h1>Prize!</h1>'),
    );
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
  }, 120_000);
  afterAll(async () => {
    attacker.closeAllConnections();
    await new Promise((resolve) => attacker.close(resolve));
    await product[Symbol.asyncDispose]();
  }, 30_000);
  beforeEach(async () => {
    browser = await openChromium(origin);
    page = browser.page;
    // What the attacker's server has sent before the name was rebound.
    await page.route(`${origin}/prize`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<h1>Prize!</h1>' }),
    );
  });
  afterEach(async () => {
    await browser[Symbol.asyncDispose]();
  });

  /** A request of the owner's, at this machine. */
  const send = (path: string, body: unknown): Promise<Answer> =>
    ask({ port: product.port }, `http://127.0.0.1:${product.port}${path}`, { method: 'POST', body });
  const asOwner = () => send('/api/v1/auth/login', { username: 'ada', password: PASSWORD });

  /** Status and code of a request of the page's scripts; `blocked` where the browser shows no answer. */
  const fetchIn = (path: string, body?: unknown): Promise<unknown> =>
    page.evaluate(`(async () => {
      const init = ${JSON.stringify(
        body === undefined
          ? {}
          : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      )};
      try {
        const answer = await fetch(${JSON.stringify(path)}, init);
        const { code } = await answer.json().catch(() => ({}));
        return [answer.status, code];
      } catch {
        return 'blocked';
      }
    })()`);
  /** Whether a WebSocket of the page's scripts opens. */
  const opensIn = (url: string): Promise<boolean> =>
    page.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket(${JSON.stringify(url)}, 'binary');
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
    })`);
  const socketUrl = () => `ws://${EVIL}:${product.port}/api/v1/vnc/web-1?ticket=guessed`;

  it('is not served the product’s own page', async () => {
    const answer = await page.goto(`${origin}/`);
    expect(answer?.status()).toBe(421);
    expect(await page.locator('body').innerText()).toContain('ALLOWED_HOSTS');
    await browser.screenshot('proxies-rebound');
  });

  it('can neither log in nor open a WebSocket, and does not lock the owner out', async () => {
    await page.goto(`${origin}/prize`);
    const answers: unknown[] = [];
    for (let i = 0; i < FAILURES; i++)
      answers.push(await fetchIn('/api/v1/auth/login', { username: 'ada', password: 'wrong password' }));
    answers.push(await fetchIn('/api/v1/auth/login', { username: 'ada', password: PASSWORD }));
    answers.push(await fetchIn('/api/v1/setup'));
    expect(answers).toEqual(Array.from({ length: FAILURES + 2 }, () => [421, 'host_not_allowed']));
    expect(await opensIn(socketUrl())).toBe(false);
    expect((await asOwner()).status).toBe(200);
  });

  it('gets no further from another port of its name', async () => {
    const { port } = attacker.address() as AddressInfo;
    await page.goto(`http://${EVIL}:${port}/`);
    const login = { username: 'ada', password: PASSWORD };
    expect(await fetchIn(`${origin}/api/v1/auth/login`, login)).toBe('blocked');
    expect(await opensIn(socketUrl())).toBe(false);
  });

  it('cannot lead a WebSocket to the product by its address', async () => {
    await page.goto(`${origin}/prize`);
    expect(await opensIn(`ws://127.0.0.1:${product.port}/api/v1/vnc/web-1?ticket=guessed`)).toBe(false);
    expect(codeOf(await asOwner())).toBeUndefined();
  });
});
