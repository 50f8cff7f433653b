import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { hasBrowser, type TestBrowser } from '../browser/support/browser.js';
import { startProduct, type Product } from '../browser/support/product.js';
import { openChromium } from './support/chromium.js';
import { ATTACKERS_ADDRESS, ReboundName } from './support/rebound-name.js';
import { ask, type Answer } from './support/raw-client.js';

const EVIL = 'evil.example';
const PASSWORD = 'a short sentence is fine';
/** Wrong passwords of one user from one address after which the next attempt is refused. */
const FAILURES = 10;

/**
 * DNS rebinding: the page comes from the attacker's server; then its name resolves to the product's address, and the
 * page's scripts talk to the product under the page's own origin.
 */
describe.runIf(hasBrowser())('a page whose name was rebound to the product', () => {
  let product: Product;
  let attacker: Server;
  let attackersPort: number;
  let name: ReboundName;
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
    await new Promise<void>((resolve) => attacker.listen(0, ATTACKERS_ADDRESS, resolve));
    attackersPort = (attacker.address() as AddressInfo).port;
    browser = await openChromium(origin, { address: ATTACKERS_ADDRESS });
    page = browser.page;
  }, 150_000);
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    attacker.closeAllConnections();
    await new Promise((resolve) => attacker.close(resolve));
    await product[Symbol.asyncDispose]();
  }, 60_000);
  beforeEach(async () => {
    name = await ReboundName.listen(product.port, attackersPort);
    await page.goto(`${origin}/`);
    await page.getByText('Prize!').waitFor();
    name.rebind(product.port);
  }, 60_000);
  afterEach(async () => {
    await name[Symbol.asyncDispose]();
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

  it('can neither log in nor open a WebSocket, and does not lock the owner out', async () => {
    const answers: unknown[] = [];
    for (let i = 0; i < FAILURES; i++)
      answers.push(await fetchIn('/api/v1/auth/login', { username: 'ada', password: 'wrong password' }));
    answers.push(await fetchIn('/api/v1/auth/login', { username: 'ada', password: PASSWORD }));
    answers.push(await fetchIn('/api/v1/setup'));
    expect(answers).toEqual(Array.from({ length: FAILURES + 2 }, () => [421, 'host_not_allowed']));
    expect(await opensIn(socketUrl())).toBe(false);
    expect((await asOwner()).status).toBe(200);
  });

  it('is not served the product’s own page', async () => {
    const answer = await page.goto(`${origin}/login`);
    expect(answer?.status()).toBe(421);
    expect(await page.locator('body').innerText()).toContain('ALLOWED_HOSTS');
    await browser.screenshot('proxies-rebound');
  });

  it('opens no WebSocket from another port of its name, nor one to the product’s address', async () => {
    await page.goto(`http://${EVIL}:${attackersPort}/`);
    expect(await opensIn(socketUrl())).toBe(false);
    expect(await opensIn(`ws://127.0.0.1:${product.port}/api/v1/vnc/web-1?ticket=guessed`)).toBe(false);
    expect(await fetchIn(`${origin}/api/v1/auth/login`, { username: 'ada', password: PASSWORD })).toBe(
      'blocked',
    );
  });
});
