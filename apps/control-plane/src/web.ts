import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler, type Router } from 'express';

/** The web UI's own routes: each is its one page. */
const PAGES = ['/', '/setup', '/login', '/sessions', '/agents', '/vnc-viewer/:sessionId'];

/** Where the web UI shows a session. @param mount `''` at the root, else for example `/vdi` */
export const viewerPage = (sessionId: string, mount: string): string => `${mount}/vnc-viewer/${sessionId}`;

const YEAR_S = 365 * 24 * 3600;

/**
 * Nothing from elsewhere, nothing inline. `data:` images are the pointer and the JPEG rectangles of a desktop;
 * `connect-src 'self'` covers WebSockets to this origin too.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  // The page names the path that it is served under.
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers for every answer. No Referer: the setup link's token is in its address. */
export function securityHeaders(): RequestHandler {
  return (_request, response, next) => {
    response.set({
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
    });
    next();
  };
}

/** Where apps/web was built to. */
export function webFolder(): string {
  return fileURLToPath(new URL('./dist', import.meta.resolve('@streamspace/web/package.json')));
}

/** Whether there is a built page to serve. */
export function hasPage(folder: string): boolean {
  return existsSync(join(folder, 'index.html'));
}

/**
 * Serves the same under the path that browsers see and at the root: a proxy may pass the path on, or strip it.
 *
 * @param base `''` at the root, else for example `/vdi`
 */
export function underBase(base: string, parts: readonly RequestHandler[]): Router {
  const router = express.Router();
  if (base !== '') router.use(base, ...parts);
  return router.use(...parts);
}

/** What the built page has in place of the path that browsers see. */
const BUILT_BASE = '<base href="/" />';

/**
 * The built page, for the path under which browsers see it.
 *
 * @param base `''` at the root, else for example `/vdi`
 */
export function readPage(folder: string, base: string): string {
  return readFileSync(join(folder, 'index.html'), 'utf8').replace(
    BUILT_BASE,
    () => `<base href="${base}/" />`,
  );
}

/**
 * Serves the built web UI: files with a hash in their name for good, the page itself always asked for anew.
 *
 * @param page from {@link readPage}
 */
export function webUi(folder: string, page: string): Router {
  const router = express.Router();
  router.use(
    '/assets',
    express.static(join(folder, 'assets'), {
      index: false,
      immutable: true,
      maxAge: YEAR_S * 1000,
      redirect: false,
    }),
  );
  router.use(
    express.static(folder, {
      index: false,
      redirect: false,
      setHeaders: (response) => void response.setHeader('Cache-Control', 'no-cache'),
    }),
  );
  router.get(PAGES, (_request, response) => {
    response.set('Cache-Control', 'no-cache').type('html').send(page);
  });
  return router;
}
