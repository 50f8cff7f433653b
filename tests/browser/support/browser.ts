import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { missing } from '../../servers/missing.js';

const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
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

/** One browser with a profile of its own, and a record of everything that it should not have done. */
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

export async function openBrowser(origin: string, look: Scheme = {}): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'streamspace-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    viewport: look.viewport ?? { width: 1280, height: 800 },
    colorScheme: look.colorScheme ?? 'light',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(look.options ?? []),
    ],
  });
  const page = context.pages()[0] ?? (await context.newPage());
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
    [Symbol.asyncDispose]: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
