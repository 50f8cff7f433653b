import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { missingForXDesktop } from '@streamspace/platform-local';
import { eventually } from './support/eventually.js';
import { hasBrowser, openBrowser, type TestBrowser } from './support/browser.js';
import { coloursShown, desktopHasKeyboard, fingerprint } from './support/canvas.js';
import { triesOperation } from './support/api-docs.js';
import { startProduct, type Product } from './support/product.js';

const PASSWORD = 'a short sentence is fine';
const WORDS = 'Hello from the browser.';
/** Where the built-in desktop has its paint pad and its text, in fractions of the picture. */
const PAINT = { x: 0.5, y: 0.3, width: 0.4, height: 0.5 };
const NOTES = { x: 0.04, y: 0.36, width: 0.3, height: 0.4 };

describe.runIf(hasBrowser())('the whole product in a browser', () => {
  let product: Product;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    product = await startProduct();
  }, 120_000);
  afterAll(async () => {
    await product[Symbol.asyncDispose]();
  }, 30_000);
  beforeEach(async () => {
    browser = await openBrowser(product.origin);
    page = browser.page;
  });
  afterEach(async () => {
    await browser[Symbol.asyncDispose]();
    expect(browser.strayRequests).toEqual([]);
    expect(browser.complaints).toEqual([]);
  });

  const button = (name: string | RegExp) => page.getByRole('button', { name });

  it('leads from the setup link into a desktop that keeps what is typed and drawn, until it is stopped', async () => {
    await page.goto(`${product.origin}/sessions`);
    await page.getByText('one-time setup link').waitFor();
    await page.goto(product.link);
    await page.getByLabel('Name', { exact: true }).waitFor();
    await browser.screenshot('product-setup');
    await page.getByLabel('Name', { exact: true }).fill('ada');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('Password again').fill(PASSWORD);
    await button(/Create admin/).click();

    await page.waitForURL(/\/vnc-viewer\/[a-z0-9-]+$/, { timeout: 30_000 });
    const sessionId = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    await eventually(() => coloursShown(page)).toBeGreaterThan(8);
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
    await browser.screenshot('product-desktop');

    const emptyNotes = await fingerprint(page, NOTES);
    await page.keyboard.type(WORDS);
    await eventually(() => fingerprint(page, NOTES)).not.toBe(emptyNotes);
    await eventually(() => notes(product)).toContain(WORDS);
    expect(await product.find('notes.txt')).toContain(`/homes/${sessionId}/`);

    const emptyPaper = await fingerprint(page, PAINT);
    await draw(page);
    await eventually(() => fingerprint(page, PAINT)).not.toBe(emptyPaper);
    await eventually(() => product.find('drawing.png')).toContain(`/homes/${sessionId}/`);
    await browser.screenshot('product-worked-in');

    await button('Stop').click();
    await page.getByText(`homes/${sessionId}`, { exact: true }).waitFor();
    await button('Stop session').click();
    await page.waitForURL('**/sessions');
    const row = page.locator(`[data-session="${sessionId}"]`);
    await row.getByText('Terminated').waitFor({ timeout: 15_000 });
    await browser.screenshot('product-sessions');
    expect(await notes(product)).toContain(WORDS);
  });

  it('keeps the login over a reload, ends it on request, and shows admins their agents', async () => {
    await page.goto(product.link);
    await page.getByText('Already set up').waitFor();
    await page.getByRole('link', { name: 'Log in' }).click();
    await logIn();
    await page.waitForURL('**/sessions');

    await page.goto(`${product.origin}/agents`);
    await page.getByText('Online').waitFor();
    await page.reload();
    await page.getByText('Online').waitFor();
    await browser.screenshot('product-agents');

    await button('Log out').click();
    await page.waitForURL('**/login**');
    await page.reload();
    await button('Log in').waitFor();
    await browser.screenshot('product-login');
    await logIn();
    await page.waitForURL('**/agents');
  });

  it('starts another desktop from the list and finds it again after a reload', async () => {
    await page.goto(`${product.origin}/`);
    await logIn();
    await page.getByRole('list', { name: 'Templates' }).getByRole('button').first().click();
    await page.waitForURL(/\/vnc-viewer\//);
    await eventually(() => coloursShown(page)).toBeGreaterThan(8);
    await page.reload();
    await eventually(() => coloursShown(page)).toBeGreaterThan(8);
    await page.getByRole('link', { name: 'All desktops' }).click();
    await page.getByText('Running').waitFor();
    await browser.screenshot('product-sessions-running');
  });

  it('hibernates a desktop, wakes it from its page, and shows it again as it was', async () => {
    await page.goto(`${product.origin}/`);
    await logIn();
    await button(/^Hibernate /)
      .first()
      .click();
    await page.getByText('Hibernated').waitFor({ timeout: 15_000 });
    await browser.screenshot('product-sessions-hibernated');
    const row = page.locator('li', { hasText: 'Hibernated' });
    const id = (await row.getAttribute('data-session')) ?? '';
    await page.goto(`${product.origin}/vnc-viewer/${id}`);
    await page.getByText('This desktop is hibernated.').waitFor();
    await browser.screenshot('product-hibernated');
    await button('Wake').click();
    await eventually(() => coloursShown(page)).toBeGreaterThan(8);
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
  });

  it('describes its API at /api/docs/', async () => {
    await page.goto(`${product.origin}/api/docs`);
    expect(page.url()).toBe(`${product.origin}/api/docs/`);
    await page.getByRole('heading', { name: /StreamSpace/ }).waitFor();
    await browser.screenshot('product-api-docs');
    expect(await page.locator('.opblock').count()).toBeGreaterThan(20);
    await triesOperation(page, '/api/v1/setup', '"required"');
    await browser.screenshot('product-api-docs-tried');

    const { port } = product;
    const ofOtherHost = get({
      host: '127.0.0.1',
      port,
      path: '/api/docs/',
      headers: { host: 'evil.example' },
    });
    const [refused] = (await once(ofOtherHost, 'response')) as [IncomingMessage];
    expect(refused.resume().statusCode).toBe(421);
  });

  it.runIf(missingForXDesktop().length === 0)('starts an X desktop with a terminal', async () => {
    await page.goto(`${product.origin}/`);
    await logIn();
    await button(/New desktop/).click();
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Desktop of this machine/ })
      .click();
    await page.waitForURL(/\/vnc-viewer\/x-desktop-/);
    const sessionId = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    await page.locator('.viewer-status[data-state=connected]').waitFor({ timeout: 40_000 });
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
    // A terminal that has just been mapped has no shell that reads yet: typed again until it has.
    await expect
      .poll(
        async () => {
          await page.keyboard.type('echo from-the-browser > typed.txt\n');
          return product.find('typed.txt');
        },
        { timeout: 20_000, interval: 1_000 },
      )
      .toContain(`/homes/${sessionId}/`);
    await browser.screenshot('product-x-desktop');
  });

  it('finds its way back by itself after the server was killed and started again', async () => {
    await page.goto(`${product.origin}/`);
    await logIn();
    await page
      .getByRole('link', { name: /^Open / })
      .first()
      .click();
    await eventually(() => coloursShown(page)).toBeGreaterThan(8);
    await product.kill();
    await page.locator('.viewer-status[data-state=reconnecting]').waitFor();
    await browser.screenshot('product-away');
    await product.startAgain();
    await page.locator('.viewer-status[data-state=connected]').waitFor({ timeout: 40_000 });
    await eventually(() => coloursShown(page)).toBeGreaterThan(8);
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
    // Nothing listens at first; then the server listens and says that it is starting.
    browser.forgive(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|status of 503/);
  });

  async function logIn(): Promise<void> {
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill(PASSWORD);
    await button('Log in').click();
  }
});

async function notes(product: Product): Promise<string> {
  const file = await product.find('notes.txt');
  return file === undefined ? '' : await readFile(file, 'utf8');
}

/** One stroke across the paint pad. */
async function draw(page: Page): Promise<void> {
  const box = await page.locator('.desktop canvas[role=application]').boundingBox();
  if (!box) throw new Error('There is no picture to draw on.');
  const at = (across: number, down: number): [number, number] => [
    box.x + box.width * (PAINT.x + PAINT.width * across),
    box.y + box.height * (PAINT.y + PAINT.height * down),
  ];
  await page.mouse.move(...at(0.1, 0.2));
  await page.mouse.down();
  await page.mouse.move(...at(0.5, 0.8), { steps: 12 });
  await page.mouse.move(...at(0.9, 0.2), { steps: 12 });
  await page.mouse.up();
}
