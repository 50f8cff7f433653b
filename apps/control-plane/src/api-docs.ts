import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express, { type Router } from 'express';

/** Scripts and styles from these files only; Swagger UI has its icons as `data:` images in its styles. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const OURS = fileURLToPath(new URL('./api-docs', import.meta.url));
const SWAGGER_UI = fileURLToPath(new URL('.', import.meta.resolve('swagger-ui-dist/package.json')));

/**
 * The REST API for people, at `/api/docs/`: Swagger UI over `/api/openapi.json`. Browsers keep its files and ask each
 * time whether they are still the same.
 */
export function apiDocs(): Router {
  // Relative addresses need the slash at the end of the page's own.
  const router = express.Router({ strict: true });
  router.use('/api/docs', (_request, response, next) => {
    response.set({ 'Content-Security-Policy': CONTENT_SECURITY_POLICY, 'Cache-Control': 'no-cache' });
    next();
  });
  router.get('/api/docs', (_request, response) => response.redirect('docs/'));
  serve('', OURS, 'index.html');
  serve('start.js', OURS, 'start.js');
  for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js']) serve(name, SWAGGER_UI, name, swaggerTag());
  return router;

  function serve(path: string, root: string, file: string, etag?: string): void {
    router.get(`/api/docs/${path}`, (_request, response) => {
      if (etag !== undefined) response.set('ETag', etag);
      response.sendFile(file, { root, cacheControl: false, lastModified: false });
    });
  }
}

/** Of the version: files from npm all have the same time, from which Express would make the tag. */
function swaggerTag(): string {
  const { version } = JSON.parse(readFileSync(`${SWAGGER_UI}package.json`, 'utf8')) as { version: string };
  return `"${version}"`;
}
