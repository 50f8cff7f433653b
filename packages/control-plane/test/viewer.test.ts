import { once } from 'node:events';
import { CLOSE } from '@streamspace/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import type { ControlPlaneOptions, Database } from '../src/index.js';
import { pgliteDatabase } from '../src/pglite/index.js';
import { fakeAgent, type FakeAgent } from './support/fake-agent.js';
import { eventually, setUpAdmin, startServer, type TestClient, type TestServer } from './support/server.js';

let database: Database;
let server: TestServer;
let client: TestClient;
let agent: FakeAgent;

beforeAll(async () => {
  database = await pgliteDatabase({ memory: true });
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());
afterEach(() => server[Symbol.asyncDispose]());

type Ignore = NonNullable<Parameters<typeof fakeAgent>[0]['ignore']>;

/** A control plane with an agent and a session `s`; it runs, unless the agent ignores its start. */
async function start(
  more: Partial<ControlPlaneOptions> & { mount?: string; ignore?: Ignore } = {},
): Promise<void> {
  const { ignore, ...options } = more;
  server = await startServer(database, options);
  client = await setUpAdmin(server);
  const key = await server.controlPlane.agents.issueKey('desk-1');
  agent = await fakeAgent({ url: server.wsUrl, agentId: 'desk-1', key, ...(ignore && { ignore }) });
  await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 's' });
  await eventually('the start has arrived', () => agent.commands.length === 1);
  if (!ignore) await eventually('running', async () => (await state()) === 'running');
}

const state = async (): Promise<unknown> => (await client.send('GET', '/api/v1/sessions/s')).body['state'];

async function ticket(mode = 'control', id = 's'): Promise<string> {
  return (await client.send('POST', `/api/v1/sessions/${id}/tickets`, { mode })).body['ticket'] as string;
}

function view(of: string | undefined, options: ClientOptions & { path?: string; protocol?: string } = {}) {
  const { path = '/api/v1/vnc/s', protocol, ...more } = options;
  const socket = new WebSocket(`${server.wsUrl}${path}${of ? `?ticket=${of}` : ''}`, protocol ?? [], more);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const opened = once(socket, 'open');
  opened.catch(() => undefined);
  return { socket, closed, opened };
}

async function desktop() {
  await eventually('the stream is open', () => agent.desktops.has('s'));
  return agent.desktops.get('s')!;
}

describe('a viewer', () => {
  it('gets the desktop’s bytes and gives it its own, with the role of its ticket', async () => {
    await start();
    const { socket, closed, opened } = view(await ticket(), { protocol: 'binary' });
    await opened;
    expect(socket.protocol).toBe('binary');
    const vnc = await desktop();
    const message = once(socket, 'message');
    await vnc.write(Buffer.from('RFB 003.008\n'));
    const [data, isBinary] = (await message) as [Buffer, boolean];
    expect([data.toString(), isBinary]).toEqual(['RFB 003.008\n', true]);
    socket.send(Buffer.from('hello'));
    expect(Buffer.from((await vnc.read())!).toString()).toBe('hello');
    expect(agent.opened[0]).toMatchObject({
      sessionId: 's',
      port: 'vnc',
      policy: { role: 'control', clipboard: 'both' },
    });
    socket.close();
    await closed;
    expect(await vnc.read().catch(() => null)).toBeNull();
    await eventually('said', () => server.events.some(({ type }) => type === 'viewer_disconnected'));
    const said = server.events.filter(({ type }) => type.startsWith('viewer_'));
    expect(said).toEqual([
      { type: 'viewer_connected', sessionId: 's', user: 'ann', mode: 'control' },
      expect.objectContaining({
        type: 'viewer_disconnected',
        code: CLOSE.normal,
        bytesToViewer: 12,
        bytesFromViewer: 5,
      }),
    ]);
    expect(server.errors).toEqual([]);
  });

  it('that may only watch says so to the agent, which holds it to that', async () => {
    await start();
    const { opened } = view(await ticket('view'));
    await opened;
    await desktop();
    expect(agent.opened[0]).toMatchObject({ policy: { role: 'view' } });
  });

  it('needs a ticket, for this session, that was not used before', async () => {
    await start();
    await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'other' });
    const refused = {
      code: CLOSE.unauthorized,
      reason: 'The ticket is missing, was used already, or has expired.',
    };
    expect(await view(undefined).closed).toEqual(refused);
    expect(await view('x'.repeat(43)).closed).toEqual(refused);
    const elsewhere = await ticket('control', 'other');
    expect(await view(elsewhere).closed).toEqual(refused);
    expect(await view(elsewhere, { path: '/vnc/other' }).closed).toEqual(refused);
    const once_ = await ticket();
    const [one, two] = [view(once_), view(once_)];
    expect(await Promise.race([one.closed, two.closed])).toEqual(refused);
    await desktop();
    expect(agent.opened).toHaveLength(1);
  });

  it('cannot be sent to a session that has ended', async () => {
    await start();
    await client.send('POST', '/api/v1/sessions/s/stop');
    await eventually('terminated', async () => (await state()) === 'terminated');
    expect((await client.send('POST', '/api/v1/sessions/s/tickets', { mode: 'control' })).body['code']).toBe(
      'session_ended',
    );
  });

  it('waits for its session to run', async () => {
    await start({ ignore: () => true });
    const { opened, socket, closed } = view(await ticket());
    await opened;
    expect(agent.opened).toEqual([]);
    agent.say({ type: 'complete', payload: { commandId: agent.commands[0]!.commandId } });
    await desktop();
    socket.close();
    await closed;
  });

  it('is told when its session does not start in time', async () => {
    await start({ ignore: () => true, viewerWaitMs: 1_000 });
    expect(await view(await ticket()).closed).toEqual({
      code: CLOSE.timeout,
      reason: 'The session did not start within 1 s.',
    });
  });

  it('is told why its session failed, in as much as a close frame holds', async () => {
    await start({ ignore: () => true });
    const { closed } = view(await ticket());
    const { commandId } = agent.commands[0]!;
    agent.say({ type: 'failed', payload: { commandId, error: 'ü'.repeat(200), code: 'image_missing' } });
    const { code, reason } = await closed;
    expect(code).toBe(CLOSE.upstreamUnavailable);
    expect(reason).toMatch(/^The session failed: ü+$/);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });

  it('is told when the agent is lost, and when it is not there', async () => {
    await start({ viewerWaitMs: 300 });
    const { closed } = view(await ticket());
    await desktop();
    await agent[Symbol.asyncDispose]();
    expect(await closed).toEqual({
      code: CLOSE.upstreamUnavailable,
      reason: 'The agent that runs this session is not connected.',
    });
    expect(await view(await ticket()).closed).toEqual({
      code: CLOSE.upstreamUnavailable,
      reason: 'The agent that runs this session is not connected.',
    });
  });

  it('is told when the desktop ends', async () => {
    await start();
    const { closed } = view(await ticket());
    await (await desktop()).end();
    expect(await closed).toEqual({ code: CLOSE.normal, reason: 'The desktop has ended.' });
  });

  it('is closed when nothing happens for long, and not before', async () => {
    await start({ vncIdleTimeoutMs: 400 });
    const { closed, socket } = view(await ticket());
    const vnc = await desktop();
    const startedAt = performance.now();
    const sending = setInterval(() => void vnc.write(new Uint8Array([1])), 50);
    setTimeout(() => clearInterval(sending), 600);
    socket.on('message', () => undefined);
    expect((await closed).code).toBe(CLOSE.timeout);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    const end = server.events.find(({ type }) => type === 'viewer_disconnected');
    expect(end).toMatchObject({ code: CLOSE.timeout, reason: expect.stringMatching(/^Nothing happened/) });
  });

  it('may not speak text', async () => {
    await start();
    const { closed, opened, socket } = view(await ticket());
    await opened;
    socket.send('text');
    expect((await closed).code).toBe(1003);
  });

  it('is refused from a page of another origin, unless that is allowed', async () => {
    await start({ allowedOrigins: ['https://desk.example'] });
    const { opened } = view(await ticket(), { origin: 'https://evil.example' });
    await expect(opened).rejects.toThrow('403');
    const good = view(await ticket(), { origin: 'https://desk.example' });
    await good.opened;
    const same = view(await ticket(), { origin: server.url });
    await same.opened;
    for (const { socket } of [good, same]) socket.close();
    await Promise.all([good.closed, same.closed]);
  });

  it('finds its session under the path where the router is mounted', async () => {
    await start({ mount: '/vdi' });
    const { socket, closed } = view(await ticket());
    await desktop();
    socket.close();
    await closed;
  });

  it('is told that the control plane is stopping', async () => {
    await start();
    const { closed } = view(await ticket());
    await desktop();
    await server.controlPlane[Symbol.asyncDispose]();
    expect(await closed).toEqual({
      code: CLOSE.goingAway,
      reason: 'The control plane is stopping. Connect again.',
    });
    expect((await agent.closed).code).toBe(CLOSE.goingAway);
  });
});

describe('an upgrade to another path', () => {
  it('is answered with 404 when nobody else is there, and left to the others when they are', async () => {
    await start();
    await expect(view(undefined, { path: '/elsewhere' }).opened).rejects.toThrow('404');
    server.server.on('upgrade', (request, socket) => {
      if (request.url === '/elsewhere') socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n');
    });
    await expect(view(undefined, { path: '/elsewhere' }).opened).rejects.toThrow('418');
  });
});
