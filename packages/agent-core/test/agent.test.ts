import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAgent, type AgentEvent, type AgentOptions, type Leadership } from '../src/index.js';
import { memoryPlatform } from '../src/testing/index.js';
import { fakeControlPlane, welcome, type AgentSocket } from './control-plane.js';

let controlPlane: Awaited<ReturnType<typeof fakeControlPlane>>;
const ends: (() => Promise<void>)[] = [];
beforeEach(async () => {
  controlPlane = await fakeControlPlane();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const end of ends.splice(0)) await end();
  await controlPlane.close();
});

function startAgent(more: Partial<AgentOptions> = {}) {
  const platform = memoryPlatform();
  const events: AgentEvent[] = [];
  const stop = new AbortController();
  const agent = createAgent({
    agentId: 'agent-1',
    controlPlaneUrl: controlPlane.url,
    apiKey: 'k',
    platform,
    reconnect: { first: 1, longest: 20 },
    onEvent: (event) => events.push(event),
    ...more,
  });
  const running = agent.run(stop.signal);
  const end = (): Promise<void> => {
    stop.abort();
    return running.catch(() => undefined);
  };
  ends.push(end);
  const types = (): string[] => events.map(({ type }) => type);
  return { agent, platform, events, types, stop: end };
}

async function nextSocket(index: number): Promise<AgentSocket> {
  await expect.poll(() => controlPlane.sockets[index]?.messages[0]?.type).toBe('hello');
  return controlPlane.sockets[index]!;
}

const start = (commandId: string, sessionId: string) =>
  ({
    type: 'command',
    payload: {
      commandId,
      action: 'start_session',
      sessionId,
      generation: 1,
      timeoutMs: 10_000,
      payload: { user: 'u', template: 't', templateManifest: {} },
    },
  }) as const;

describe('an agent', () => {
  it('says in its registration whether its sessions are isolated, and its labels', async () => {
    const platform = memoryPlatform();
    Object.assign(platform, { capabilities: { ...platform.capabilities, isolated: false } });
    const silent = memoryPlatform();
    Object.assign(silent, { capabilities: { hibernate: true, survivesAgentRestart: true } });
    startAgent({ platform, labels: { gpu: 'yes' } });
    await nextSocket(0);
    startAgent();
    await nextSocket(1);
    startAgent({ platform: silent });
    await nextSocket(2);
    expect(controlPlane.registrations).toMatchObject([
      { agentId: 'agent-1', metadata: { isolated: false, labels: { gpu: 'yes' } } },
      { agentId: 'agent-1', metadata: { isolated: true, labels: {} } },
      { agentId: 'agent-1', metadata: { isolated: false, labels: {} } },
    ]);
  });

  it('that is asked to move connects anew before it closes, and loses no result on the way', async () => {
    const { agent, types } = startAgent();
    const first = await nextSocket(0);
    first.send(welcome());
    await expect.poll(() => agent.status).toBe('connected');
    first.send({ type: 'drain', payload: { reason: 'an upgrade' } });
    const second = await nextSocket(1);
    // The first goes on until the second is there.
    first.send(start('c-1', 's-1'));
    await expect.poll(() => first.messages.map(({ type }) => type)).toContain('complete');
    expect(first.isOpen()).toBe(true);
    second.send(welcome({ epoch: 2 }));
    expect(await first.closed).toBe(1000);
    await expect.poll(() => second.messages.map(({ type }) => type)).toContain('complete');
    second.send({ type: 'result_ack', payload: { commandId: 'c-1' } });
    expect(agent.health()).toMatchObject({ status: 'connected', ready: true, epoch: 2 });
    expect(types()).toContain('moving');
    expect(types()).not.toContain('disconnected');
    // Its next move is no different.
    second.send({ type: 'drain', payload: {} });
    (await nextSocket(2)).send(welcome({ epoch: 3 }));
    expect(await second.closed).toBe(1000);
  });

  it('keeps its connection while no other can be had', async () => {
    const { agent } = startAgent();
    const first = await nextSocket(0);
    first.send(welcome());
    await expect.poll(() => agent.status).toBe('connected');
    let refused = 0;
    controlPlane.answerUpgrades(() =>
      ++refused <= 3 ? 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n' : undefined,
    );
    first.send({ type: 'drain', payload: {} });
    await expect.poll(() => refused).toBeGreaterThan(3);
    expect(first.isOpen()).toBe(true);
    (await nextSocket(1)).send(welcome({ epoch: 2 }));
    expect(await first.closed).toBe(1000);
  });

  it('closes first when its connection is to end', async () => {
    startAgent();
    const first = await nextSocket(0);
    first.send(welcome());
    first.send({ type: 'shutdown', payload: {} });
    expect(await first.closed).toBe(1000);
    await nextSocket(1);
  });

  it('stops in order: it takes nothing new, ends what it is at, and waits until its result is stored', async () => {
    const { agent, platform, stop, events } = startAgent();
    let go = (): void => undefined;
    platform.before = () => new Promise((resolve) => (go = resolve));
    const socket = await nextSocket(0);
    socket.send(welcome());
    socket.send(start('c-1', 's-1'));
    await expect.poll(() => agent.metrics().commandsActing).toBe(1);
    const stopped = stop();
    await expect
      .poll(() => socket.messages.filter(({ type }) => type === 'heartbeat').at(-1)?.payload)
      .toMatchObject({ status: 'draining' });
    socket.send(start('c-2', 's-2'));
    go();
    await expect.poll(() => socket.messages.map(({ type }) => type)).toContain('complete');
    expect(socket.isOpen()).toBe(true);
    expect(socket.messages.filter(({ type }) => type === 'ack')).toMatchObject([
      { payload: { commandId: 'c-1' } },
    ]);
    socket.send({ type: 'result_ack', payload: { commandId: 'c-1' } });
    expect(await socket.closed).toBe(1000);
    await stopped;
    expect(events.flatMap((event) => (event.type === 'stopping' ? [event.step] : []))).toEqual([
      'draining',
      'flushing',
      'stopped',
    ]);
    expect(agent.health()).toMatchObject({ status: 'stopped', healthy: false, ready: false });
  });

  it('that stands alone waits before it takes its place back from another', async () => {
    const { events } = startAgent({ reconnect: { first: 1, longest: 1, superseded: 5_000 } });
    const socket = await nextSocket(0);
    socket.send(welcome());
    socket.close(4409, 'a newer connection of this agent took over');
    const pauses = () => events.flatMap((event) => (event.type === 'disconnected' ? [event.retryInMs] : []));
    await expect.poll(() => pauses().length).toBe(1);
    expect(pauses()[0]).toBeGreaterThanOrEqual(5_000);
  });

  it('of a group resigns when another has taken its place', async () => {
    let terms = 0;
    const released: number[] = [];
    startAgent({
      election: {
        async campaign(signal): Promise<Leadership> {
          const term = ++terms;
          if (term > 1)
            await new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            );
          return {
            fencingToken: term,
            lost: new AbortController().signal,
            abandon() {},
            async [Symbol.asyncDispose]() {
              released.push(term);
            },
          };
        },
      },
    });
    const socket = await nextSocket(0);
    socket.send(welcome());
    socket.close(4409, 'a newer connection of this agent took over');
    await expect.poll(() => [terms, released]).toEqual([2, [1]]);
  });

  it('waits as long as it is asked to, and a little more than others that were told the same', async () => {
    controlPlane.answerRegistrations((_request, response) =>
      response.writeHead(503, { 'retry-after': '3' }).end('{}'),
    );
    const { events, agent } = startAgent();
    const pauses = () => events.flatMap((event) => (event.type === 'disconnected' ? [event.retryInMs] : []));
    await expect.poll(() => pauses().length).toBe(1);
    expect(pauses()[0]).toBeGreaterThanOrEqual(3_000);
    expect(pauses()[0]).toBeLessThanOrEqual(4_500);
    expect(agent.health()).toMatchObject({ ready: false, healthy: true, status: 'registering' });
  });

  it('that stood still does not take what it has not read yet for silence', async () => {
    const { agent, types } = startAgent();
    const socket = await nextSocket(0);
    socket.send(welcome({ heartbeatIntervalMs: 100 }));
    await expect.poll(() => agent.metrics().heartbeats).toBeGreaterThan(1);
    socket.send({ type: 'ping', payload: {} });
    const until = performance.now() + 500;
    while (performance.now() < until);
    await expect.poll(() => agent.metrics().heartbeatLateMs).toBeGreaterThan(300);
    await expect.poll(() => agent.metrics().heartbeats).toBeGreaterThan(3);
    expect(types()).not.toContain('disconnected');
  });

  it('counts what it does', async () => {
    const { agent } = startAgent();
    const socket = await nextSocket(0);
    expect(agent.health()).toMatchObject({ status: 'connecting', healthy: true, ready: false });
    socket.send(welcome({ heartbeatIntervalMs: 50 }));
    socket.send(start('c-1', 's-1'));
    socket.send(start('c-1', 's-1'));
    await expect.poll(() => agent.metrics().heartbeats).toBeGreaterThan(3);
    expect(agent.metrics()).toMatchObject({
      commandsReceived: 2,
      commandsRepeated: 1,
      commandsCompleted: { start_session: 1 },
      commandsFailed: {},
      connections: 1,
      disconnections: 0,
      resultsUnreported: 1,
      sessions: { running: 1 },
    });
    socket.send({ type: 'result_ack', payload: { commandId: 'c-1' } });
    await expect.poll(() => agent.metrics().resultsUnreported).toBe(0);
  });

  it('gives a call up that ignores its abort, says so, and is not ready until it has ended', async () => {
    const problems: string[] = [];
    const { agent, platform } = startAgent({
      parallelCommands: 1,
      onError: (error, where) => problems.push(`${where}: ${String(error)}`),
    });
    let go = (): void => undefined;
    platform.before = () => new Promise((resolve) => (go = resolve));
    const socket = await nextSocket(0);
    socket.send(welcome());
    await expect.poll(() => agent.metrics().inventories).toBe(1);
    // Only what the agent waits for is quick; sockets are what they are.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const one = start('c-1', 's-1');
    socket.send({ ...one, payload: { ...one.payload, timeoutMs: 60_000 } });
    socket.send({
      ...one,
      payload: {
        ...one.payload,
        commandId: 'c-2',
        action: 'stop_session',
        sessionId: 's-2',
        timeoutMs: 600_000,
      },
    });
    await expect.poll(() => agent.metrics()).toMatchObject({ commandsActing: 1, commandsWaiting: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(agent.metrics()).toMatchObject({ commandsActing: 1, commandsStuck: 0 });
    expect(agent.health()).toMatchObject({ ready: true });
    await vi.advanceTimersByTimeAsync(5_000);
    vi.useRealTimers();
    const ends = () =>
      socket.messages.flatMap((message) =>
        message.type === 'failed' || message.type === 'complete'
          ? [[message.type, message.payload.commandId]]
          : [],
      );
    await expect.poll(ends).toEqual([
      ['failed', 'c-1'],
      ['complete', 'c-2'],
    ]);
    expect(agent.metrics()).toMatchObject({ commandsFailed: { timeout: 1 }, commandsStuck: 1 });
    expect(agent.health()).toMatchObject({
      status: 'connected',
      healthy: true,
      ready: false,
      reason: 'The platform has not ended 1 call that was given up.',
    });
    expect(problems).toEqual([
      expect.stringContaining('start_session of session s-1 (command c-1) went on 5000 ms after its abort'),
    ]);
    go();
    await expect.poll(() => agent.health().ready).toBe(true);
    // What it came to is told by the platform itself.
    await expect
      .poll(() => socket.messages.filter(({ type }) => type === 'inventory').at(-1)?.payload)
      .toMatchObject({ sessions: [] });
    expect(agent.metrics()).toMatchObject({ commandsStuck: 0, inventories: 2 });
    for (const commandId of ['c-1', 'c-2']) socket.send({ type: 'result_ack', payload: { commandId } });
    await expect.poll(() => agent.metrics().resultsUnreported).toBe(0);
  });

  it('is not ready while its platform does not list its sessions', async () => {
    const platform = memoryPlatform();
    const { list } = platform;
    platform.list = () => Promise.reject(new Error('the disk is full'));
    const { agent } = startAgent({ platform });
    const socket = await nextSocket(0);
    socket.send(welcome({ inventoryIntervalMs: 20 }));
    await expect
      .poll(() => agent.health())
      .toMatchObject({
        status: 'connected',
        ready: false,
        reason: 'The platform did not list its sessions: the disk is full',
      });
    platform.list = list;
    await expect.poll(() => agent.health().ready).toBe(true);
  });

  it.each(['sup3r\nsecret', 'sup3rsecret\n', ' sup3rsecret', 'sup3r\u2026secret', 'sup3r\u0000secret'])(
    'refuses a key that no header can hold, without a word of it: %j',
    (apiKey) => {
      const make = () =>
        createAgent({
          agentId: 'a',
          controlPlaneUrl: 'ws://127.0.0.1:1',
          apiKey,
          platform: memoryPlatform(),
        });
      expect(make).toThrow(/^apiKey must be printable ASCII characters/);
      expect(make).not.toThrow(/sup3r|secret/);
    },
  );

  it.each<[string, Partial<AgentOptions>]>([
    ['parallelCommands must be a whole number from 1 to 1024, not 0', { parallelCommands: 0 }],
    ['idleAfterMs must be a time from 0 to 2147483647 ms, not -1', { idleAfterMs: -1 }],
    ['pollIntervalMs must be a time from 1 to 2147483647 ms, not 0', { pollIntervalMs: 0 }],
    ['usageIntervalMs must be a time from 0', { usageIntervalMs: Number.NaN }],
    ['capacity.maxSessions must be a whole number from 0', { capacity: { maxSessions: 1.5 } }],
    ['capacity.maxCpu must be a number of at least 0', { capacity: { maxSessions: 0, maxCpu: -1 } }],
    ['reconnect needs 0 < first <= longest', { reconnect: { first: 10, longest: 5 } }],
    ['reconnect.superseded must be a time', { reconnect: { first: 1, longest: 5, superseded: -1 } }],
  ])('refuses an option by name: %s', (message, options) => {
    expect(() =>
      createAgent({
        agentId: 'a',
        controlPlaneUrl: 'ws://127.0.0.1:1',
        apiKey: 'k',
        platform: memoryPlatform(),
        ...options,
      }),
    ).toThrow(message);
  });
});
