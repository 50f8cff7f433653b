import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll } from 'vitest';
import { missing } from '../../servers/missing.js';

const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** For a machine that is busy with other tests. */
const CLOSE_MS = 60_000;
const SCREENSHOTS = fileURLToPath(new URL('../../../.artifacts/screenshots/', import.meta.url));

/** Whether there is a browser to test with. A strict run must have one. */
export function hasBrowser(): boolean {
  if (existsSync(EXECUTABLE)) return true;
  missing(`Chromium (${EXECUTABLE}, or what CHROMIUM_PATH names)`, 'chromium');
  return false;
}

export interface Scheme {
  readonly colorScheme?: 'light' | 'dark';
  readonly viewport?: { width: number; height: number };
  /** More options of Chromium's command line. */
  readonly options?: readonly string[];
}

/** A new profile in a browser that the tests of a file share, and a record of everything that it should not have done. */
export interface TestBrowser extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Requests that left the origin. */
  readonly strayRequests: string[];
  /** Errors on the console and exceptions in the page, with where they came from. */
  readonly complaints: string[];
  /** Drops complaints that the test itself caused. */
  forgive(expected: RegExp): void;
  /** Keeps a picture of the page under .artifacts/screenshots. */
  screenshot(name: string): Promise<void>;
}

/** Running browsers by the options of their command lines. Each test file has its own. */
const running = new Map<string, Promise<Browser>>();
afterAll(async () => {
  for (const starting of running.values()) await (await starting).close();
}, CLOSE_MS);

function browserWith(options: readonly string[]): Promise<Browser> {
  const key = options.join(' ');
  const known = running.get(key);
  if (known) return known;
  const starting = chromium.launch({
    executablePath: EXECUTABLE,
    headless: true,
    args: [...ARGUMENTS, ...options],
  });
  running.set(key, starting);
  // One that cannot start or has crashed is not the end of the tests that follow.
  const forget = (): boolean => running.delete(key);
  starting.then((browser) => browser.once('disconnected', forget), forget);
  return starting;
}

/** Opens a page that shares no storage, cookies or cache with other pages. */
export async function openBrowser(origin: string, look: Scheme = {}): Promise<TestBrowser> {
  const browser = await browserWith(look.options ?? []);
  const context = await browser.newContext({
    viewport: look.viewport ?? { width: 1280, height: 800 },
    colorScheme: look.colorScheme ?? 'light',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const strayRequests: string[] = [];
  const complaints: string[] = [];
  const ownOrigins = [origin, origin.replace(/^http/, 'ws')];
  const check = (url: string): void => {
    if (url.startsWith('data:') || url.startsWith('blob:')) return;
    if (!ownOrigins.includes(new URL(url).origin)) strayRequests.push(url);
  };
  context.on('request', (request) => check(request.url()));
  page.on('websocket', (socket) => check(socket.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return {
    page,
    context,
    strayRequests,
    complaints,
    forgive: (expected) => {
      const rest = complaints.filter((complaint) => !expected.test(complaint));
      complaints.splice(0, complaints.length, ...rest);
    },
    screenshot: async (name) => {
      await mkdir(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}
