import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPage, readPage, securityHeaders, underBase, viewerPage, webUi } from '../src/web.js';

let outside: string;
let folder: string;
let server: Server;
let base: string;

beforeAll(async () => {
  outside = mkdtempSync(join(tmpdir(), 'streamspace-web-'));
  writeFileSync(join(outside, 'secret'), 'not to be served');
  folder = join(outside, 'dist');
  mkdirSync(folder);
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<title>page</title>');
  writeFileSync(join(folder, '.inputs'), 'not to be served');
  writeFileSync(join(folder, 'icon.svg'), '<svg/>');
  writeFileSync(join(folder, 'assets', 'index-abc123.js'), 'export {};');
  server = createServer(express().use(securityHeaders(), webUi(folder, readPage(folder, '')))).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  rmSync(outside, { recursive: true, force: true });
});

describe('the web UI', () => {
  it.each(['/', '/setup?token=t', '/login', '/sessions', '/vnc-viewer/desk-1'])(
    'is its one page at %s, always asked for anew',
    async (path) => {
      const response = await fetch(base + path);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('<title>page</title>');
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect(response.headers.get('content-type')).toContain('text/html');
    },
  );

  it('is its page too at the address that sessions have as their url', async () => {
    expect(viewerPage('desk-1', '')).toBe('/vnc-viewer/desk-1');
    expect(viewerPage('desk-1', '/vdi')).toBe('/vdi/vnc-viewer/desk-1');
    const response = await fetch(base + viewerPage('desk-1', ''));
    expect(await response.text()).toBe('<title>page</title>');
  });

  it('has files with a hash in their name that are kept for good', async () => {
    const response = await fetch(`${base}/assets/index-abc123.js`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    await response.text();
    const icon = await fetch(`${base}/icon.svg`);
    expect(icon.headers.get('cache-control')).toBe('no-cache');
    await icon.text();
  });

  it.each(['/assets/index-old.js', '/elsewhere', '/.inputs', '/vnc-viewer/a/b', '/..%2fsecret'])(
    'does not answer %s with the page',
    async (path) => {
      const response = await fetch(base + path);
      expect(response.status).toBe(404);
      expect(await response.text()).not.toMatch(/<title>page|not to be served/);
    },
  );

  it('lets nothing in from elsewhere and tells nobody its address', async () => {
    const response = await fetch(base);
    await response.text();
    const policy = response.headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'self'; connect-src 'self';/);
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(policy).toContain("base-uri 'self'");
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-frame-options')).toBe('DENY');
  });

  it('is there only when it was built', () => {
    expect(hasPage(folder)).toBe(true);
    expect(hasPage(join(folder, 'assets'))).toBe(false);
  });
});

describe('the web UI under a path', () => {
  const PAGE = '<head><base href="/" /><script src="./assets/index.js"></script></head>';

  it.each(['', '/vdi', '/a/b'])('names the path %j in its page', (path) => {
    writeFileSync(join(folder, 'index.html'), PAGE);
    expect(readPage(folder, path)).toBe(PAGE.replace('href="/"', `href="${path}/"`));
    writeFileSync(join(folder, 'index.html'), '<title>page</title>');
  });

  it('answers the same whether a proxy strips the path or passes it on', async () => {
    const parts = [securityHeaders(), webUi(folder, 'the page')];
    const under = createServer(express().use(underBase('/a/vdi', parts))).listen(0, '127.0.0.1');
    await once(under, 'listening');
    const at = `http://127.0.0.1:${(under.address() as AddressInfo).port}`;
    const pages = ['/a/vdi', '/a/vdi/', '/', '/a/vdi/sessions', '/sessions', '/a/vdi/vnc-viewer/desk-1'];
    for (const path of pages)
      expect([path, await (await fetch(at + path)).text()]).toEqual([path, 'the page']);
    for (const path of ['/a/vdi/assets/index-abc123.js', '/assets/index-abc123.js'])
      expect([path, await (await fetch(at + path)).text()]).toEqual([path, 'export {};']);
    for (const path of ['/a', '/a/sessions', '/a/vdi/a/vdi/'])
      expect([path, (await fetch(at + path)).status]).toEqual([path, 404]);
    under.closeAllConnections();
    under.close();
  });
});
