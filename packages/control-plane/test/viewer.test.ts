import { once } from 'node:events';
import { CLOSE } from '@streamspace/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { eventually } from './support/server.js';
import { startDesk, type Desk } from './support/viewers.js';

let database: Database;
let desk: Desk;

beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database[Symbol.asyncDispose]());
afterEach(() => desk[Symbol.asyncDispose]());

const start = async (more?: Parameters<typeof startDesk>[1]): Promise<void> => {
  desk = await startDesk(database, more);
};
const ticket: Desk['ticket'] = (mode, id) => desk.ticket(mode, id);
const view: Desk['view'] = (of, options) => desk.view(of, options);
const desktop: Desk['desktop'] = () => desk.desktop();

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
    expect(desk.agent.opened[0]).toMatchObject({
      sessionId: 's',
      port: 'vnc',
      policy: { role: 'control', clipboard: 'both' },
    });
    socket.close();
    await closed;
    expect(await vnc.read().catch(() => null)).toBeNull();
    await eventually('said', () => desk.server.events.some(({ type }) => type === 'viewer_disconnected'));
    const said = desk.server.events.filter(({ type }) => type.startsWith('viewer_'));
    expect(said).toEqual([
      { type: 'viewer_connected', sessionId: 's', user: 'ann', mode: 'control', address: '127.0.0.1' },
      expect.objectContaining({
        type: 'viewer_disconnected',
        code: CLOSE.normal,
        bytesToViewer: 12,
        bytesFromViewer: 5,
      }),
    ]);
    expect(desk.server.errors).toEqual([]);
  });

  it('that may only watch says so to the agent, which holds it to that', async () => {
    await start();
    const { opened } = view(await ticket('view'));
    await opened;
    await desktop();
    expect(desk.agent.opened[0]).toMatchObject({ policy: { role: 'view' } });
  });

  it('needs a ticket, for this session, that was not used before', async () => {
    await start();
    await desk.client.send('POST', '/api/v1/sessions', { template: 'desk', id: 'other' });
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
    expect(desk.agent.opened).toHaveLength(1);
  });

  it('cannot be sent to a session that has ended', async () => {
    await start();
    await desk.client.send('POST', '/api/v1/sessions/s/stop');
    await eventually('terminated', async () => (await desk.state()) === 'terminated');
    expect(
      (await desk.client.send('POST', '/api/v1/sessions/s/tickets', { mode: 'control' })).body['code'],
    ).toBe('session_ended');
  });

  it('waits for its session to run', async () => {
    await start({ ignore: () => true });
    const { opened, socket, closed } = view(await ticket());
    await opened;
    expect(desk.agent.opened).toEqual([]);
    desk.agent.say({ type: 'complete', payload: { commandId: desk.agent.commands[0]!.commandId } });
    await desktop();
    socket.close();
    await closed;
  });

  it('is told when its session does not start in time', async () => {
    await start({ ignore: () => true, viewerWaitMs: 1_000 });
    expect(await view(await ticket()).closed).toEqual({
      code: CLOSE.upstreamUnavailable,
      reason: 'The session did not start within 1 second. Connect again to go on waiting.',
    });
  });

  it('is told why its session failed, in as much as a close frame holds', async () => {
    await start({ ignore: () => true });
    const { closed } = view(await ticket());
    const { commandId } = desk.agent.commands[0]!;
    desk.agent.say({ type: 'failed', payload: { commandId, error: 'ü'.repeat(200), code: 'image_missing' } });
    const { code, reason } = await closed;
    expect(code).toBe(CLOSE.notFound);
    expect(reason).toMatch(/^The session failed: ü+$/);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });

  it('is told when the agent is lost, and when it is not there', async () => {
    await start({ viewerWaitMs: 300 });
    const { closed } = view(await ticket());
    await desktop();
    await desk.agent[Symbol.asyncDispose]();
    expect(await closed).toEqual({
      code: CLOSE.upstreamUnavailable,
      reason: 'The connection to the agent was lost.',
    });
    expect(await view(await ticket()).closed).toEqual({
      code: CLOSE.upstreamUnavailable,
      reason: 'The agent that runs this session is not connected.',
    });
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
    const end = desk.server.events.find(({ type }) => type === 'viewer_disconnected');
    expect(end).toMatchObject({
      code: CLOSE.timeout,
      reason: 'Nothing happened for 1 second. Connect again to go on.',
    });
  });

  it('is refused from a page of another origin, unless that is allowed', async () => {
    await start({ allowedOrigins: ['https://desk.example'] });
    const { opened } = view(await ticket(), { origin: 'https://evil.example' });
    await expect(opened).rejects.toThrow('403');
    const good = view(await ticket(), { origin: 'https://desk.example' });
    await good.opened;
    const same = view(await ticket(), { origin: desk.server.url });
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
    await desk.server.controlPlane[Symbol.asyncDispose]();
    expect(await closed).toEqual({
      code: CLOSE.goingAway,
      reason: 'The control plane is stopping. Connect again.',
    });
    expect((await desk.agent.closed).code).toBe(CLOSE.goingAway);
  });
});

describe('an upgrade to another path', () => {
  it('is answered with 404 when nobody else is there, and left to the others when they are', async () => {
    await start();
    await expect(view(undefined, { path: '/elsewhere' }).opened).rejects.toThrow('404');
    desk.server.server.on('upgrade', (request, socket) => {
      if (request.url === '/elsewhere') socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n');
    });
    await expect(view(undefined, { path: '/elsewhere' }).opened).rejects.toThrow('418');
  });
});
