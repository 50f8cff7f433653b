import { CLOSE } from '@streamspace/protocol';
import { TunnelError } from '@streamspace/vnc-tunnel';
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

const HIBERNATED = { code: 4423, reason: 'The desktop is hibernated. Wake it to go on.' };
const ENDED = { code: CLOSE.notFound, reason: 'The session has ended.' };
const LOST = { code: CLOSE.upstreamUnavailable, reason: 'The connection to the desktop was lost.' };

/** A viewer that is joined to the desktop. */
async function joined() {
  const viewer = desk.view(await desk.ticket());
  const vnc = await desk.desktop();
  await eventually('joined', () => desk.said().some(({ type }) => type === 'viewer_connected'));
  return { ...viewer, vnc };
}

/** The same was told to the viewer and to operators. */
async function toldAlike(told: { code: number; reason: string }): Promise<void> {
  await eventually('told', () => desk.said().some(({ type }) => type === 'viewer_disconnected'));
  expect(desk.said().at(-1)).toMatchObject({ type: 'viewer_disconnected', ...told });
}

describe('a viewer whose desktop ends', () => {
  it.each([
    ['ends its stream', (vnc) => vnc.end()],
    ['cuts it', (vnc) => vnc.abort(new Error('the session has ended'))],
  ] as [string, (vnc: Awaited<ReturnType<Desk['desktop']>>) => unknown][])(
    'is told that it hibernates, where the platform %s before it says so',
    async (_how, over) => {
      desk = await startDesk(database, { ignore: ({ action }) => action === 'hibernate_session' });
      const { vnc, closed } = await joined();
      await desk.client.send('POST', '/api/v1/sessions/s/hibernate');
      await eventually('the command has arrived', () => desk.agent.commands.length === 2);
      over(vnc);
      desk.agent.say({ type: 'complete', payload: { commandId: desk.agent.commands[1]!.commandId } });
      expect(await closed).toEqual(HIBERNATED);
      await toldAlike(HIBERNATED);
      expect(desk.server.errors).toEqual([]);
    },
  );

  it('is told that the session was stopped', async () => {
    desk = await startDesk(database, { ignore: ({ action }) => action === 'stop_session' });
    const { vnc, closed } = await joined();
    await desk.client.send('POST', '/api/v1/sessions/s/stop');
    vnc.abort(new Error('the session has ended'));
    expect(await closed).toEqual(ENDED);
    await toldAlike(ENDED);
  });

  it('is told why it failed', async () => {
    desk = await startDesk(database);
    const { vnc, closed } = await joined();
    await vnc.end();
    desk.agent.say({
      type: 'status',
      payload: { sessionId: 's', generation: 1, state: 'failed', reason: 'The X server ended by SIGKILL.' },
    });
    const told = {
      code: CLOSE.notFound,
      reason: 'The session failed: The X server ended by SIGKILL.',
    };
    expect(await closed).toEqual(told);
    await toldAlike(told);
  });

  it('is told that the connection was lost, where the session goes on', async () => {
    desk = await startDesk(database);
    const { vnc, closed } = await joined();
    await vnc.end();
    expect(await closed).toEqual(LOST);
    await toldAlike(LOST);
  });

  it('may leave while that is being found out', async () => {
    desk = await startDesk(database);
    const { vnc, closed, socket } = await joined();
    await vnc.end();
    socket.close();
    await closed;
    await toldAlike({ code: CLOSE.normal, reason: 'The viewer has left.' });
  });
});

describe('a viewer that comes to a session without a desktop', () => {
  it('is told that it is hibernated, or has ended: nothing that is worth a retry', async () => {
    desk = await startDesk(database);
    const [one, two] = [await desk.ticket(), await desk.ticket()];
    await desk.client.send('POST', '/api/v1/sessions/s/hibernate');
    await eventually('hibernated', async () => (await desk.state()) === 'hibernated');
    expect(await desk.view(one).closed).toEqual(HIBERNATED);
    await desk.client.send('POST', '/api/v1/sessions/s/stop');
    await eventually('terminated', async () => (await desk.state()) === 'terminated');
    expect(await desk.view(two).closed).toEqual(ENDED);
  });

  it('is told that its agent was removed', async () => {
    desk = await startDesk(database);
    const ticket = await desk.ticket();
    await desk.agent[Symbol.asyncDispose]();
    await database.query("update sessions set agent_id = null where id = 's'");
    expect(await desk.view(ticket).closed).toEqual({
      code: CLOSE.notFound,
      reason: 'The agent that ran this session was removed.',
    });
  });

  it('is told within a grace of its own that the agent is not connected, and so are operators', async () => {
    desk = await startDesk(database, { viewerWaitMs: 60_000, viewerAgentWaitMs: 300 });
    await desk.agent[Symbol.asyncDispose]();
    const told = {
      code: CLOSE.upstreamUnavailable,
      reason: 'The agent that runs this session is not connected.',
    };
    expect(await desk.view(await desk.ticket()).closed).toEqual(told);
    expect(desk.said()).toEqual([{ type: 'viewer_refused', sessionId: 's', address: '127.0.0.1', ...told }]);
  });

  it('is told to try again when the agent is slow', async () => {
    desk = await startDesk(database, {
      hub: { sweepIntervalMs: 50, openTimeoutMs: 100 },
      refuse: () => new Promise(() => undefined),
    });
    expect(await desk.view(await desk.ticket()).closed).toEqual({
      code: CLOSE.upstreamUnavailable,
      reason: 'The agent did not open the desktop in time.',
    });
  });

  it.each([
    ['This desktop has as many viewers as it may (2). Close one and try again.', undefined],
    ['streams: at most 4096 at once on one tunnel', 'The agent has too many viewers.'],
  ])('is told whose limit was reached: %s', async (refusal, sentence) => {
    desk = await startDesk(database, { refuse: () => new TunnelError('limit_reached', refusal) });
    expect(await desk.view(await desk.ticket()).closed).toEqual({
      code: CLOSE.limitReached,
      reason: sentence ?? refusal,
    });
  });
});

describe('a viewer that does what it may not', () => {
  it.each(['protocol_error', 'flow_control'] as const)(
    'is told so in the words of the reset %s, on one line',
    async (code) => {
      desk = await startDesk(database);
      const { closed } = await joined();
      desk.agent.cut('s', new TunnelError(code, 'message type 77\nis not known'));
      const told = { code: CLOSE.protocolError, reason: 'message type 77 is not known' };
      expect(await closed).toEqual(told);
      await toldAlike(told);
    },
  );

  it('is closed with 1003 for text, and operators are told the same', async () => {
    desk = await startDesk(database);
    const { closed, socket } = await joined();
    socket.send('text');
    const told = { code: 1003, reason: 'A viewer speaks RFB in binary messages, and a text message came.' };
    expect(await closed).toEqual(told);
    await toldAlike(told);
    expect(desk.server.errors).toEqual([]);
  });

  it('is closed with 1009 for a message that is too large, and operators are told the same', async () => {
    desk = await startDesk(database);
    const { closed, socket } = await joined();
    socket.on('error', () => undefined);
    socket.send(Buffer.alloc(1024 * 1024 + 1));
    expect((await closed).code).toBe(1009);
    await toldAlike({ code: 1009, reason: 'A message of the viewer was larger than 1 MiB.' });
    expect(desk.server.controlPlane.counters().viewers.ended).toEqual({ 1009: 1 });
  });

  it('and that closes in order does not lose what it sent last, however late the desktop reads', async () => {
    desk = await startDesk(database);
    const { vnc, socket, closed } = await joined();
    const sent = 200_000;
    socket.send(Buffer.alloc(sent));
    socket.close();
    await closed;
    // The agent is asked for another stream behind whatever it was told of this one.
    const other = desk.view(await desk.ticket());
    await eventually('opened', () => desk.agent.opened.length === 2);
    let got = 0;
    while (got < sent) got += (await vnc.read())?.length ?? sent + 1;
    expect(got).toBe(sent);
    await vnc.end();
    await toldAlike({ code: CLOSE.normal, reason: 'The viewer has left.' });
    other.socket.close();
    await other.closed;
  });

  it('that has left does not hold up the end of the control plane', async () => {
    desk = await startDesk(database);
    const { socket, closed } = await joined();
    socket.send(Buffer.alloc(100_000));
    socket.close();
    await closed;
    // The desktop reads nothing, so that the join goes on; within this test's time only an abort ends it.
    expect(desk.said().map(({ type }) => type)).toEqual(['viewer_connected']);
    await desk.server.controlPlane[Symbol.asyncDispose]();
    await toldAlike({ code: CLOSE.normal, reason: 'The viewer has left.' });
  }, 8_000);

  it('and that goes without a word counts as lost', async () => {
    desk = await startDesk(database);
    const { socket } = await joined();
    socket.terminate();
    await toldAlike({ code: 1006, reason: 'The connection to the viewer was lost.' });
  });
});
