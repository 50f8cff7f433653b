import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartingGate } from '../src/starting.js';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('the gate of a control plane that starts', () => {
  let gate: StartingGate;
  let server: Server;
  let base: string;
  let port: number;
  beforeEach(async () => {
    gate = new StartingGate('pod-1');
    server = createServer(gate.handle);
    gate.guard(server);
    port = await listen(server);
    base = `http://127.0.0.1:${port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  it('answers 503 starting with Retry-After, and lets /health say that the process lives', async () => {
    for (const [method, path] of [
      ['GET', '/ready'],
      ['GET', '/'],
      ['GET', '/api/v1/agents'],
      ['POST', '/api/v1/sessions'],
    ] as const) {
      const response = await fetch(base + path, { method, ...(method === 'POST' && { body: '{}' }) });
      expect([response.status, response.headers.get('retry-after')], path).toEqual([503, '1']);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ status: 503, code: 'starting' });
    }
    const health = await fetch(`${base}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toEqual({ status: 'healthy', pod_name: 'pod-1' });
  });

  it('refuses upgrades with 503', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'GET /api/v1/agents/connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(answer).toMatch(/\r\nRetry-After: 1\r\n/);
    expect(answer).toContain('"code":"starting"');
  });

  it('serves a request that offers h2c as HTTP/1.1', async () => {
    const statuses: string[] = [];
    for (const path of ['/health', '/ready']) {
      const socket = connect(port, '127.0.0.1');
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      );
      let answer = '';
      socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
      await once(socket, 'close');
      statuses.push(answer.slice(0, answer.indexOf('\r\n')));
      expect(answer).toContain(path === '/health' ? '"pod_name":"pod-1"' : '"code":"starting"');
    }
    expect(statuses).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 503 Service Unavailable']);
  });

  it('says below the path of the public address too that the process lives', async () => {
    const own = new StartingGate('pod-1', '/vdi');
    const below = createServer(own.handle);
    const address = `http://127.0.0.1:${await listen(below)}`;
    const statuses: number[] = [];
    for (const path of ['/vdi/health', '/vdi/health?x=1', '/health', '/vdi/ready', '/other/health'])
      statuses.push((await fetch(address + path)).status);
    below.closeAllConnections();
    below.close();
    expect(statuses).toEqual([200, 200, 200, 503, 503]);
  });

  it('hands everything on once it is open', async () => {
    gate.open(server, (_request, response) => void response.end('open'));
    expect(await (await fetch(`${base}/ready`)).text()).toBe('open');
    expect(server.listenerCount('upgrade')).toBe(0);
  });
});

describe('a port in use', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'streamspace-port-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('ends the start in one line, and nothing of the data folder is made', { timeout: 30_000 }, async () => {
    const other = createServer();
    const port = await listen(other);
    const dataFolder = join(folder, 'data');
    const child = spawn(process.execPath, ['--conditions=@streamspace/source', '--import', 'tsx', main], {
      env: { PATH: process.env['PATH'], PORT: String(port), STREAMSPACE_DATA_DIR: dataFolder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [number | null];
    other.close();
    expect(code, output).toBe(1);
    expect(output).toMatch(
      new RegExp(
        `^ERROR: PORT=${port}: 127\\.0\\.0\\.1:${port} is in use by another program; stop that .*\n$`,
      ),
    );
    expect(existsSync(dataFolder)).toBe(false);
  });
});
