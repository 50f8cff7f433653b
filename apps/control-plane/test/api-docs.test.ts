import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiDocs } from '../src/api-docs.js';
import { securityHeaders, underBase } from '../src/web.js';

const FILES = ['', 'start.js', 'swagger-ui.css', 'swagger-ui-bundle.js'];

describe('the page of the API', () => {
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    const app = express().use(underBase('/vdi', [securityHeaders(), apiDocs()]));
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each(['', '/vdi'])('leads to its slash by a relative address, below "%s"', async (base) => {
    const response = await fetch(`${origin}${base}/api/docs`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, 'docs/']);
  });

  it.each(['', '/vdi'])('has all of its files, below "%s"', async (base) => {
    for (const file of FILES) {
      const response = await fetch(`${origin}${base}/api/docs/${file}`);
      expect([file, response.status]).toEqual([file, 200]);
      await response.text();
    }
  });

  it('has no address that is not relative, and no inline script or style', async () => {
    const page = await (await fetch(`${origin}/api/docs/`)).text();
    const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
    expect(addresses).toEqual(['../../favicon.svg', 'swagger-ui.css', 'swagger-ui-bundle.js', 'start.js']);
    expect(page).not.toMatch(/<style|style=|<script(?! src)| on\w+=/);
  });

  it.each(FILES)('lets nothing in from elsewhere with %j', async (file) => {
    const response = await fetch(`${origin}/api/docs/${file}`);
    await response.text();
    const policy = response.headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'self'; img-src 'self' data:;/);
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each(FILES)('is asked for again with its tag, and is the same: %j', async (file) => {
    const first = await fetch(`${origin}/api/docs/${file}`);
    await first.text();
    expect(first.headers.get('cache-control')).toBe('no-cache');
    // What browsers send; without it, fetch asks for the file whatever its tag.
    const headers = { 'if-none-match': first.headers.get('etag') ?? '', 'cache-control': 'max-age=0' };
    expect((await fetch(`${origin}/api/docs/${file}`, { headers })).status).toBe(304);
  });

  it.each(['package.json', 'index.html', 'swagger-ui-bundle.js.map', '..%2fapi-docs.ts', 'none/'])(
    'has no %s',
    async (file) => {
      const response = await fetch(`${origin}/api/docs/${file}`);
      await response.text();
      expect(response.status).toBe(404);
    },
  );
});
