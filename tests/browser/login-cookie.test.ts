import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { hasBrowser, openBrowser, type TestBrowser } from './support/browser.js';
import { bundle } from './support/bundle.js';
import { startInstallations, type Installations } from './support/installations.js';
import { startNeighbour, type Neighbour } from './support/neighbour.js';

const PASSWORD = 'correct horse';
const NAMES = { '/one': 'ada', '/two': 'bob' } as const;
/** A browser and two databases start. */
const HOOK_MS = 120_000;

describe.runIf(hasBrowser())('the refresh cookie, which knows no ports,', () => {
  let on: Installations;
  let neighbour: Neighbour;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    on = await startInstallations(Object.keys(NAMES), await bundle('./client-entry.ts', 'login'));
    for (const [path, username] of Object.entries(NAMES)) {
      const token = on.setupTokens[on.origin + path];
      expect((await post(`${path}/api/v1/setup`, { token, username, password: PASSWORD })).status).toBe(201);
    }
  }, HOOK_MS);
  afterAll(() => on[Symbol.asyncDispose](), HOOK_MS);
  beforeEach(async () => {
    neighbour = await startNeighbour();
    browser = await openBrowser(on.origin);
    page = browser.page;
    await page.goto(`${on.origin}/page`);
    expect([await logIn('/one'), await logIn('/two')]).toEqual(['ada', 'bob']);
  }, HOOK_MS);
  afterEach(async () => {
    await browser[Symbol.asyncDispose]();
    await neighbour[Symbol.asyncDispose]();
  }, HOOK_MS);

  const post = (path: string, body: object): Promise<Response> =>
    fetch(on.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  /** Calls a client that is new, as after a reload. @returns the user's name, or the code of the failure */
  const call = (path: string, what: string, at: Page = page): Promise<string> =>
    at.evaluate<string>(
      `login.clientOf(${JSON.stringify(on.origin + path)}).${what}.then((answer) => answer?.user.username ?? 'done', (error) => error.code)`,
    );
  const logIn = (path: keyof typeof NAMES): Promise<string> =>
    call(path, `login(${JSON.stringify({ username: NAMES[path], password: PASSWORD })})`);
  /** The browser's visit to the other port, with a path that the cookie is sent to. */
  async function visitNeighbour(path = '/one/api/v1/auth/login'): Promise<string | undefined> {
    const visitor = await browser.context.newPage();
    await visitor.goto(neighbour.url + path);
    expect(await visitor.evaluate('Object.keys(localStorage)')).toEqual([]);
    await visitor.close();
    return neighbour.received.findLast((one) => one.path === path)?.cookie;
  }

  it('keeps two installations on one origin apart, and two tabs of one together', async () => {
    expect([await call('/one', 'refresh()'), await call('/two', 'refresh()')]).toEqual(['ada', 'bob']);
    const other = await browser.context.newPage();
    await other.goto(`${on.origin}/page`);
    expect(await Promise.all([call('/one', 'refresh()'), call('/one', 'refresh()', other)])).toEqual([
      'ada',
      'ada',
    ]);
    expect(await call('/one', 'logout()')).toBe('done');
    expect(await call('/one', 'refresh()', other)).toBe('not_logged_in');
    expect(await call('/two', 'refresh()', other)).toBe('bob');
    expect(browser.strayRequests).toEqual([]);
  });

  it('reaches a server on another port, and makes it no user, and ends no login', async () => {
    const stolen = await visitNeighbour();
    expect(stolen).toMatch(/^streamspace_refresh=[\w.-]+$/);
    for (let n = 0; n < 3; n++)
      for (const path of ['refresh', 'logout']) {
        const answer = await fetch(`${on.origin}/one/api/v1/auth/${path}`, {
          method: 'POST',
          headers: { cookie: stolen ?? '' },
        });
        expect(answer.status, path).toBe(path === 'refresh' ? 401 : 204);
      }
    expect(await call('/one', 'refresh()')).toBe('ada');
  });

  it('is of no use to a page of another port in the same browser', async () => {
    const foreign = await browser.context.newPage();
    await foreign.goto(`${neighbour.url}/`);
    const outcome = await foreign.evaluate<string>(
      `Promise.all(['cors', 'no-cors'].map((mode) =>
         fetch(${JSON.stringify(`${on.origin}/one/api/v1/auth/refresh`)}, { method: 'POST', credentials: 'include', mode })
           .then((answer) => answer.type, () => 'failed'))).then(String)`,
    );
    expect(outcome).toBe('failed,opaque');
    expect(await call('/one', 'refresh()')).toBe('ada');
  });

  it('that another port sets for a longer path does not hide the right one', async () => {
    const id = await page.evaluate<string>(`localStorage.getItem('streamspace.login:/one/')`);
    for (const value of ['x', `${id}.${'A'.repeat(43)}`]) {
      neighbour.sets = `streamspace_refresh=${value}; Path=/one/api/v1/auth/refresh`;
      await visitNeighbour();
      expect(await call('/one', 'refresh()')).toBe('ada');
    }
    neighbour.sets = undefined;
    const cookies = (await browser.context.cookies()).filter(({ path }) => path.startsWith('/one'));
    expect(cookies.map(({ path }) => path).sort()).toEqual(['/one/api/v1/auth', '/one/api/v1/auth/refresh']);
  });

  it('that another port sets in its place costs a login, and gives no login of somebody else', async () => {
    // Of a login that the other server has made, with a name of its own.
    const answer = await post('/one/api/v1/auth/login', { username: 'ada', password: PASSWORD });
    for (const pair of [answer.headers.getSetCookie()[0]?.split(';')[0], 'streamspace_refresh=x']) {
      neighbour.sets = `${pair}; Path=/one/api/v1/auth`;
      await visitNeighbour();
      neighbour.sets = undefined;
      expect(await call('/one', 'refresh()')).toBe('not_logged_in');
      expect(await logIn('/one')).toBe('ada');
      expect(await call('/one', 'refresh()')).toBe('ada');
    }
    expect(await call('/two', 'refresh()')).toBe('bob');
  });
});
