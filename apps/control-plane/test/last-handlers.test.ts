import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lastHandlers } from '../src/last-handlers.js';
import { createLog } from '../src/log.js';
import { readPage, webUi } from '../src/web.js';

let folder: string;
let server: Server;
let base: string;
const lines: string[] = [];
const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streamspace-last-'));
  writeFileSync(join(folder, 'index.html'), '<title>page</title>');
  const log = createLog('info', (line) => lines.push(line));
  const { notFound, failed } = lastHandlers(log, readPage(folder, ''));
  const app = express();
  app.get('/broken', () => {
    throw new Error('secret of the house');
  });
  app.get('/half', (_request, response) => {
    response.write('half');
    throw new Error('in the middle');
  });
  server = createServer(app.use(webUi(folder, readPage(folder, '')), notFound, failed)).listen(
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
  rmSync(folder, { recursive: true, force: true });
});

describe('what nothing else answers', () => {
  it.each([
    ['/elsewhere', 404],
    ['/vnc-viewer/%ff', 400],
  ])('is the page for people at %s, with the status %i', async (path, status) => {
    const response = await fetch(base + path, { headers: BROWSER });
    expect(response.status).toBe(status);
    expect(await response.text()).toBe('<title>page</title>');
  });

  it.each([
    ['GET', '/elsewhere', 404, 'not_found'],
    ['POST', '/', 404, 'not_found'],
    ['GET', '/vnc-viewer/%ff', 400, 'bad_request'],
    ['GET', '/broken', 500, 'internal'],
  ])('is a problem document for programs: %s %s', async (method, path, status, code) => {
    const response = await fetch(base + path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status, code });
    expect(text).not.toMatch(/ at |node_modules|secret/);
  });

  it('is in the log when it is our own fault, in one line, and only then', async () => {
    lines.length = 0;
    for (const path of ['/broken', '/vnc-viewer/%ff', '/elsewhere'])
      await (await fetch(base + path, { headers: BROWSER })).text();
    expect(lines).toEqual(['ERROR: GET /broken: secret of the house\n']);
  });

  it('breaks off an answer that has begun', async () => {
    const whole = fetch(`${base}/half`).then((response) => response.text());
    await expect(whole).rejects.toThrow();
  });
});
