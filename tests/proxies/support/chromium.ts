import type { Page } from 'playwright-core';
import type { Certificate } from '../../servers/certificate.js';
import { openBrowser, type TestBrowser } from '../../browser/support/browser.js';
import { PASSWORD } from './stage.js';

/** Chromium that finds a name on this machine, and takes one self-made certificate as valid. */
export function openChromium(origin: string, certificate?: Certificate): Promise<TestBrowser> {
  const options = [
    `--host-resolver-rules=MAP ${new URL(origin).hostname} 127.0.0.1`,
    ...(certificate ? [`--ignore-certificate-errors-spki-list=${certificate.publicKeyHash}`] : []),
  ];
  return openBrowser(origin, { options });
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
