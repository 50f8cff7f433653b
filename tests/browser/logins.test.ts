import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { eventually } from './support/eventually.js';
import { hasBrowser, openBrowser, type TestBrowser } from './support/browser.js';
import { buildWeb, type BuiltPage } from './support/build-web.js';
import { FakeControlPlane } from './support/fake-control-plane.js';

const PASSWORD = 'correct horse';
/** A browser's start takes its time on a busy machine. */
const HOOK_MS = 60_000;

describe.runIf(hasBrowser())('the login of a browser', () => {
  let web: BuiltPage;
  let fake: FakeControlPlane;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    web = await buildWeb();
  }, HOOK_MS);
  afterAll(async () => {
    await web[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    fake = await FakeControlPlane.start(web.folder);
    fake.setupRequired = false;
    for (const name of ['ada', 'bob']) fake.addUser(name, PASSWORD);
    browser = await openBrowser(fake.url);
    page = browser.page;
  }, HOOK_MS);
  afterEach(async () => {
    await browser[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
    expect(browser.strayRequests).toEqual([]);
    expect(browser.complaints).toEqual([]);
  }, HOOK_MS);

  async function logIn(on: Page, name: string): Promise<void> {
    await on.getByLabel('Name').fill(name);
    await on.getByLabel('Password').fill(PASSWORD);
    await on.getByRole('button', { name: 'Log in' }).click();
    await on.locator('.bar-name').getByText(name).waitFor();
  }
  async function newTab(path = '/sessions'): Promise<Page> {
    const tab = await browser.context.newPage();
    await tab.goto(fake.url + path);
    return tab;
  }
  const shown = (on: Page): Promise<string | null> => on.locator('.bar-name').textContent();
  const stored = (on: Page): Promise<string[]> =>
    on.evaluate<string[]>(
      'Object.keys(localStorage).sort().map((key) => key.replace(/[0-9a-f-]{36}/, "ID"))',
    );

  it('is renewed by two tabs at once', async () => {
    await page.goto(`${fake.url}/login`);
    await logIn(page, 'ada');
    const other = await newTab();
    await other.locator('.bar-name').waitFor();
    await Promise.all([page.reload(), other.reload()]);
    await Promise.all([page, other].map((tab) => tab.locator('.bar-name').waitFor()));
    expect([await shown(page), await shown(other)]).toEqual(['ada', 'ada']);
    expect(fake.refreshes).toEqual({ ok: 3, refused: 0 });
    expect(await stored(page)).toEqual(['streamspace.login:/', 'streamspace.login:/:ID']);
  });

  it('that another user replaces in another tab is said to be replaced, and is that user’s after a reload', async () => {
    await page.goto(`${fake.url}/login`);
    await logIn(page, 'ada');
    const other = await browser.context.newPage();
    // As a person does it whose second tab was open before: the form is there, and somebody else fills it in.
    await other.goto(`${fake.url}/sessions`);
    await other.locator('.bar-name').waitFor();
    await other.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await logIn(page, 'ada');
    await logIn(other, 'bob');

    await page.getByRole('heading', { name: 'Logged in as bob' }).waitFor();
    await page.getByText('ada is logged out here.').waitFor();
    expect(await page.locator('.bar-name').count()).toBe(0);
    await browser.screenshot('login-replaced');
    expect(await shown(other)).toBe('bob');

    await page.getByRole('button', { name: 'Continue as bob' }).click();
    await page.locator('.bar-name').waitFor();
    expect(await shown(page)).toBe('bob');
    await other.reload();
    await other.locator('.bar-name').waitFor();
    expect(await shown(other)).toBe('bob');
    expect(fake.refreshes.refused).toBe(0);
  });

  it('that was replaced ends with the log-out of who replaced it', async () => {
    await page.goto(`${fake.url}/login`);
    const other = await newTab('/login');
    await logIn(page, 'ada');
    await logIn(other, 'bob');
    await page.getByRole('heading', { name: 'Logged in as bob' }).waitFor();
    await other.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await other.getByRole('button', { name: 'Log in' }).waitFor();
    expect(await stored(page)).toEqual([]);
  });

  it('ends where the storage is cleared: the page asks for the login once, and does not loop', async () => {
    await page.goto(`${fake.url}/login`);
    await logIn(page, 'ada');
    await page.evaluate('localStorage.clear()');
    await page.reload();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(fake.refreshes).toEqual({ ok: 0, refused: 0 });
    await logIn(page, 'ada');
    await page.reload();
    await page.locator('.bar-name').waitFor();
    expect(fake.refreshes).toEqual({ ok: 1, refused: 0 });
  });

  it('whose cookie another server has replaced is asked for again, after one refusal', async () => {
    await page.goto(`${fake.url}/login`);
    await logIn(page, 'ada');
    await browser.context.addCookies([
      {
        name: 'streamspace_refresh',
        value: 'tossed',
        domain: '127.0.0.1',
        path: '/api/v1/auth',
        httpOnly: true,
      },
    ]);
    await page.reload();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(fake.refreshes).toEqual({ ok: 0, refused: 1 });
    browser.forgive(/401/);
    await logIn(page, 'ada');
    await page.reload();
    await page.locator('.bar-name').waitFor();
    await eventually(() => fake.refreshes).toEqual({ ok: 1, refused: 1 });
  });
});
