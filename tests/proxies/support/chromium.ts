import { expect } from 'vitest';
import type { Page } from 'playwright-core';
import type { Certificate } from '../../servers/certificate.js';
import { openBrowser, type TestBrowser } from '../../browser/support/browser.js';
import { coloursShown } from '../../browser/support/canvas.js';
import { PASSWORD } from './stage.js';

/** A product is starting beside the browser, on a machine that may have two cores. A passing check does not wait for it. */
const PATIENCE_MS = 60_000;
/** Smaller than usual: Chromium draws it by software. */
const VIEWPORT = { width: 900, height: 600 };

export interface ChromiumOptions {
  /** Taken as valid though its authority is unknown. */
  readonly certificate?: Certificate;
  /** Where the origin's host is found. @default 127.0.0.1 */
  readonly address?: string;
}

/** Chromium that finds the host of an origin on this machine. */
export async function openChromium(origin: string, options: ChromiumOptions = {}): Promise<TestBrowser> {
  const { certificate, address = '127.0.0.1' } = options;
  const browser = await openBrowser(origin, {
    viewport: VIEWPORT,
    options: [
      `--host-resolver-rules=MAP ${new URL(origin).hostname} ${address}`,
      ...(certificate ? [`--ignore-certificate-errors-spki-list=${certificate.publicKeyHash}`] : []),
    ],
  });
  browser.page.setDefaultTimeout(PATIENCE_MS);
  return browser;
}

/** Waits for the picture of a desktop. */
export async function seesDesktop(page: Page): Promise<void> {
  await expect.poll(() => coloursShown(page), { timeout: PATIENCE_MS, interval: 100 }).toBeGreaterThan(8);
}

/** Fills in the set-up page that is shown, and goes on to the first desktop. */
export async function setUp(page: Page): Promise<void> {
  await page.getByLabel('Name', { exact: true }).fill('ada');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('Password again').fill(PASSWORD);
  await page.getByRole('button', { name: /Create admin/ }).click();
}

/** Fills in the login page that is shown. */
export async function logIn(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
}
