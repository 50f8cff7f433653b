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

const viewers = () => desk.server.controlPlane.counters().viewers;

describe('the viewers of one session', () => {
  it('are limited, those that wait included, and one that leaves makes room', async () => {
    desk = await startDesk(database, { viewersPerSession: 2 });
    const one = desk.view(await desk.ticket());
    const two = desk.view(await desk.ticket());
    await eventually('both are open', () => viewers().open === 2);
    const told = {
      code: CLOSE.limitReached,
      reason: 'This desktop has as many viewers as it may (2). Close one and try again.',
    };
    expect(await desk.view(await desk.ticket()).closed).toEqual(told);
    expect(desk.said().at(-1)).toEqual({
      type: 'viewer_refused',
      sessionId: 's',
      address: '127.0.0.1',
      ...told,
    });
    expect(desk.agent.opened).toHaveLength(2);
    one.socket.close();
    await one.closed;
    await eventually('one is gone', () => viewers().open === 1 && viewers().waiting === 0);
    const three = desk.view(await desk.ticket());
    await eventually('the next is open', () => viewers().open === 2);
    for (const { socket } of [two, three]) socket.close();
    await Promise.all([two.closed, three.closed]);
  });

  it('are counted from the ticket on, while the session does not run yet', async () => {
    desk = await startDesk(database, { viewersPerSession: 1, ignore: () => true });
    const one = desk.view(await desk.ticket());
    await one.opened;
    await eventually('it waits', () => viewers().waiting === 1);
    const later = desk.view(await desk.ticket());
    expect((await Promise.race([one.closed, later.closed])).code).toBe(CLOSE.limitReached);
  });

  it('are not those without a ticket', async () => {
    desk = await startDesk(database, { viewersPerSession: 1, ignore: () => true });
    expect((await desk.view(undefined).closed).code).toBe(CLOSE.unauthorized);
    const one = desk.view(await desk.ticket());
    await one.opened;
    one.socket.close();
    await one.closed;
  });
});

describe('the counters of viewers', () => {
  it('hold who waits and who is open, and how the others ended', async () => {
    desk = await startDesk(database);
    expect(viewers()).toEqual({ waiting: 0, open: 0, opened: 0, refused: {}, ended: {} });
    await desk.view(undefined).closed;
    const one = desk.view(await desk.ticket());
    await eventually('open', () => viewers().open === 1);
    one.socket.close();
    await one.closed;
    await eventually('ended', () => viewers().open === 0 && viewers().waiting === 0);
    expect(viewers()).toEqual({
      waiting: 0,
      open: 0,
      opened: 1,
      refused: { [CLOSE.unauthorized]: 1 },
      ended: { [CLOSE.normal]: 1 },
    });
  });
});

describe('what is said of a viewer that nobody knows', () => {
  it('is the origin that was refused, and which are allowed', async () => {
    desk = await startDesk(database, { allowedOrigins: ['https://desk.example'] });
    const { opened } = desk.view(await desk.ticket(), { origin: 'https://evil.example' });
    await expect(opened).rejects.toThrow('403');
    const host = new URL(desk.server.url).host;
    expect(desk.said()).toEqual([
      {
        type: 'viewer_refused',
        sessionId: 's',
        address: '127.0.0.1',
        code: 403,
        reason: expect.stringContaining(
          `Pages of "https://evil.example" may not use this server; allowed are pages of "${host}" by http or https, https://desk.example. `,
        ) as string,
      },
    ]);
    expect(viewers().refused).toEqual({ 403: 1 });
  });

  it.each(['x'.repeat(5_000), 's%0Aline', 'S'])(
    'does not repeat what can be no session: %.20s',
    async (id) => {
      desk = await startDesk(database);
      const { code } = await desk.view('x'.repeat(43), { path: `/vnc/${id}` }).closed;
      expect(code).toBe(CLOSE.unauthorized);
      expect(desk.said()).toEqual([
        {
          type: 'viewer_refused',
          sessionId: undefined,
          address: '127.0.0.1',
          code,
          reason: 'The ticket is missing, was used already, or has expired.',
        },
      ]);
    },
  );
});
