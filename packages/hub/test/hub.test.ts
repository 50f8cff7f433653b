import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CLOSE,
  decodeControlMessage,
  encodeMessage,
  LIMITS,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type Capacity,
  type ControlMessage,
} from '@streamspace/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  createAgentHub,
  memoryBackend,
  memoryCommandQueue,
  memoryOwnership,
  type AgentHub,
  type AgentHubOptions,
  type AgentOwnership,
  type AgentReport,
  type CommandQueue,
  type HubEvent,
} from '../src/index.js';

let hub: AgentHub;
let server: Server;
let commands: CommandQueue;
let events: HubEvent[];
let url: string;

async function start(more: Partial<AgentHubOptions> = {}): Promise<void> {
  commands = memoryCommandQueue();
  events = [];
  hub = createAgentHub({
    podName: 'pod-a',
    ownership: memoryOwnership(),
    commands,
    onEvent: (event) => void events.push(event),
    sweepIntervalMs: 10,
    ...more,
  });
  server = createServer();
  server.on('upgrade', (request, socket, head) => hub.handleUpgrade(request, socket, head, 'agent-1'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** An agent in the raw: says what it is told to. */
async function dial() {
  const socket = new WebSocket(url, SUBPROTOCOL_V2);
  const received: ControlMessage[] = [];
  socket.on('message', (data: Buffer) => received.push(decodeControlMessage(data.toString())));
  const closed = once(socket, 'close').then(([code, reason]) => ({
    code: code as number,
    reason: String(reason),
  }));
  await once(socket, 'open');
  return {
    socket,
    received,
    closed,
    say: (message: AgentMessage) => socket.send(encodeMessage(message)),
    of: (type: ControlMessage['type']) => received.filter((message) => message.type === type),
  };
}

const hello = (more: object = {}): AgentMessage => ({
  type: 'hello',
  payload: {
    versions: [2],
    instanceId: randomUUID(),
    platform: 'memory',
    capacity: { maxSessions: 0 },
    running: [],
    finished: { completed: [], failed: [] },
    ...more,
  },
});

const enqueue = (sessionId: string, deadlineMs = 60_000) =>
  commands.enqueue({
    commandId: randomUUID(),
    agentId: 'agent-1',
    sessionId,
    generation: 1,
    action: 'start_session',
    payload: {},
    deadline: Date.now() + deadlineMs,
  });

beforeEach(() => start());
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** The queue's methods, to be replaced one by one. */
const bound = (queue: CommandQueue): CommandQueue => ({
  enqueue: (command) => queue.enqueue(command),
  claim: (...claim) => queue.claim(...claim),
  recall: (...recall) => queue.recall(...recall),
  waiting: (agents) => queue.waiting(agents),
  resume: (...resume) => queue.resume(...resume),
  acknowledge: (...said) => queue.acknowledge(...said),
  finish: (...said) => queue.finish(...said),
  expire: (now) => queue.expire(now),
});

const restart = async (more: Partial<AgentHubOptions>): Promise<void> => {
  await hub[Symbol.asyncDispose]();
  server.close();
  await start(more);
};

describe('an agent hub', () => {
  it('answers hello with an epoch and its intervals', async () => {
    const agent = await dial();
    agent.say(hello());
    await expect
      .poll(() => agent.received[0])
      .toMatchObject({
        type: 'welcome',
        payload: { version: 2, heartbeatIntervalMs: 10_000, inventoryIntervalMs: 60_000 },
      });
    expect(hub.agents()).toMatchObject([{ agentId: 'agent-1', streams: 0 }]);
  });

  it('refuses a version that it does not speak and names its own', async () => {
    const agent = await dial();
    agent.say(hello({ versions: [9] }));
    expect(await agent.closed).toEqual({
      code: CLOSE.protocolError,
      reason: 'this control plane speaks version 2',
    });
    expect(agent.received[0]).toMatchObject({ type: 'refused', payload: { code: 'version_unsupported' } });
  });

  it('expects hello first', async () => {
    const agent = await dial();
    agent.say({ type: 'pong', payload: {} });
    expect(await agent.closed).toMatchObject({
      code: CLOSE.protocolError,
      reason: 'expected hello, not pong',
    });
  });

  it('answers malformed messages with what is wrong, ignores unknown ones, and closes past the budget', async () => {
    const agent = await dial();
    agent.say(hello());
    for (let i = 0; i < 20; i++) agent.socket.send('{"type":"from_the_future","payload":{}}');
    for (let i = 0; i < 6; i++) agent.socket.send('{"type":"ack","payload":{}}');
    expect(await agent.closed).toMatchObject({ code: CLOSE.protocolError });
    expect(agent.of('error')).toHaveLength(6);
    expect(agent.of('error')[0]).toMatchObject({
      payload: {
        code: 'malformed_message',
        message: 'payload.commandId must be a string of 1 to 255 characters',
      },
    });
  });

  it('closes a connection that does not acknowledge, and gives the command to the next one', async () => {
    await restart({ ackTimeoutMs: 400 });
    const { commandId } = await enqueue('desk-1');
    const deaf = await dial();
    deaf.say(hello());
    expect(await deaf.closed).toMatchObject({ code: CLOSE.timeout });
    const next = await dial();
    next.say(hello());
    await expect.poll(() => next.of('command')).toMatchObject([{ payload: { commandId } }]);
    next.say({ type: 'ack', payload: { commandId } });
    next.say({ type: 'complete', payload: { commandId } });
    await expect.poll(() => next.of('result_ack')).toMatchObject([{ payload: { commandId } }]);
    expect(next.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('does not send again what the agent says to be at, and takes the results that it brings', async () => {
    const running = await enqueue('desk-1');
    const finished = await enqueue('desk-2');
    const first = await dial();
    first.say(hello());
    await expect.poll(() => first.of('command')).toHaveLength(2);
    first.socket.terminate();
    const second = await dial();
    second.say(
      hello({
        running: [running.commandId],
        finished: { completed: [{ commandId: finished.commandId }], failed: [] },
      }),
    );
    await expect
      .poll(() => second.of('result_ack'))
      .toMatchObject([{ payload: { commandId: finished.commandId } }]);
    second.say({ type: 'failed', payload: { commandId: running.commandId, error: 'no' } });
    await expect.poll(() => second.of('result_ack')).toHaveLength(2);
    expect(second.of('command')).toEqual([]);
  });

  it('keeps to its window and goes on as results come', async () => {
    await restart({ commandWindow: 2 });
    for (let i = 0; i < 5; i++) await enqueue(`desk-${i}`);
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('command')).toHaveLength(2);
    for (let done = 0; done < 5; done++) {
      await expect.poll(() => agent.of('command').length).toBeGreaterThan(done);
      const message = agent.of('command')[done]!;
      const { commandId } = message.payload as { commandId: string };
      agent.say({ type: 'ack', payload: { commandId } });
      agent.say({ type: 'complete', payload: { commandId } });
    }
    await expect.poll(() => agent.of('result_ack')).toHaveLength(5);
  });

  it('cancels a command whose deadline passes', async () => {
    const agent = await dial();
    agent.say(hello());
    const { commandId } = await enqueue('desk-1', 60);
    hub.wake('agent-1');
    await expect.poll(() => agent.of('cancel')).toMatchObject([{ payload: { commandId } }]);
  });

  it('tells an agent that it is stopping', async () => {
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    await hub[Symbol.asyncDispose]();
    expect(await agent.closed).toEqual({ code: CLOSE.goingAway, reason: 'the control plane is stopping' });
    expect(events.map(({ type }) => type)).toEqual(['agent_online', 'agent_offline']);
  });

  it('goes on when its owner throws at an event', async () => {
    const errors: string[] = [];
    await restart({
      onEvent: () => Promise.reject(new Error('broken')),
      onError: (_error, where) => errors.push(where),
    });
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => errors).toEqual(['handling agent_online']);
    await enqueue('desk-1');
    await expect.poll(() => agent.of('command')).toHaveLength(1);
  });

  it('keeps the newer of two connections also when its claim is answered first', async () => {
    const answers: (() => void)[] = [];
    const truth = memoryOwnership();
    await restart({
      ownership: {
        ...truth,
        claim: async (request) => {
          const claim = await truth.claim(request);
          await new Promise<void>((resolve) => answers.push(resolve));
          return claim;
        },
      },
    });
    const first = await dial();
    first.say(hello());
    await expect.poll(() => answers.length).toBe(1);
    const second = await dial();
    second.say(hello());
    await expect.poll(() => answers.length).toBe(2);
    answers[1]!();
    await expect.poll(() => second.of('welcome')).toHaveLength(1);
    answers[0]!();
    expect(await first.closed).toMatchObject({ code: CLOSE.superseded });
    expect(hub.agents()).toMatchObject([
      { epoch: (second.of('welcome')[0]!.payload as { epoch: number }).epoch },
    ]);
    expect(second.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('survives a reporter that throws', async () => {
    await restart({
      onEvent: () => Promise.reject(new Error('broken')),
      onError: () => {
        throw new Error('broken too');
      },
    });
    const agent = await dial();
    agent.say(hello());
    await enqueue('desk-1');
    await expect.poll(() => agent.of('command')).toHaveLength(1);
  });

  it('disconnects an agent for a reason of any length and script', async () => {
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    hub.disconnect('agent-1', 'ключ отозван '.repeat(40));
    const { code, reason } = await agent.closed;
    expect(code).toBe(CLOSE.goingAway);
    expect(reason).toMatch(/^ключ отозван/);
  });

  it('drops and counts what a connection says that another replica has replaced, and closes it', async () => {
    const ownership = memoryOwnership();
    await restart({ ownership });
    const { commandId } = await enqueue('desk-1');
    const first = await dial();
    first.say(hello());
    await expect.poll(() => first.of('command')).toHaveLength(1);
    // Another replica shares ownership and queue, and this one has not heard of it.
    const here = { hub, server, url };
    const shared = commands;
    await start({ podName: 'pod-b', ownership, commands: shared });
    const second = await dial();
    second.say(hello());
    await expect.poll(() => second.of('command')).toMatchObject([{ payload: { commandId } }]);
    first.say({ type: 'failed', payload: { commandId, error: 'late' } });
    expect(await first.closed).toMatchObject({ code: CLOSE.superseded });
    expect(first.of('result_ack')).toEqual([]);
    expect(here.hub.counters().staleFrames.result).toBe(1);
    second.say({ type: 'complete', payload: { commandId } });
    await expect.poll(() => second.of('result_ack')).toHaveLength(1);
    expect(hub.counters()).toMatchObject({ redeliveries: 1, duplicateResults: 0 });
    await here.hub[Symbol.asyncDispose]();
    here.server.close();
  });

  it('withdraws an agent that has gone although its release fails, and says that it is offline', async () => {
    const ownership: AgentOwnership = {
      ...memoryOwnership(),
      release: () => Promise.reject(new Error('away')),
    };
    const backend = memoryBackend({ podName: 'pod-a' });
    const errors: string[] = [];
    await restart({ ownership, backend, onError: (_error, where) => errors.push(where) });
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    expect(await backend.locate('agent-1')).toMatchObject({ podName: 'pod-a' });
    agent.socket.close();
    await expect.poll(() => events.map(({ type }) => type)).toEqual(['agent_online', 'agent_offline']);
    expect(await backend.locate('agent-1')).toBeUndefined();
    expect(errors).toEqual(['releasing agent agent-1']);
  });

  it('repeats what it could not write, and acknowledges a result only then', async () => {
    const truth = memoryCommandQueue();
    let failures = 3;
    const away = Object.assign(new Error('away'), { shouldRetry: true });
    const finish: CommandQueue['finish'] = async (...said) => {
      if (failures-- > 0) throw away;
      return truth.finish(...said);
    };
    const errors: unknown[] = [];
    await restart({
      commands: { ...bound(truth), finish },
      onError: (error) => errors.push(error),
    });
    commands = truth;
    const { commandId } = await enqueue('desk-1');
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('command')).toHaveLength(1);
    agent.say({ type: 'ack', payload: { commandId } });
    agent.say({ type: 'complete', payload: { commandId } });
    await expect.poll(() => agent.of('result_ack')).toHaveLength(1);
    expect(failures).toBeLessThan(0);
    expect(errors).toEqual([away]);
  });

  it('stores an outcome without what came with it when the store will never take that, also from a hello', async () => {
    const truth = memoryCommandQueue();
    const refused = Object.assign(new Error('no such text'), { shouldRetry: false });
    const finish: CommandQueue['finish'] = async (commandId, agentId, outcome, epoch) => {
      if (outcome.state === 'completed' && outcome.result) throw refused;
      return truth.finish(commandId, agentId, outcome, epoch);
    };
    const errors: unknown[] = [];
    await restart({
      commands: { ...bound(truth), finish },
      onError: (error) => errors.push(error),
    });
    commands = truth;
    const [one, two] = [await enqueue('desk-1'), await enqueue('desk-2')];
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('command')).toHaveLength(2);
    agent.say({ type: 'complete', payload: { commandId: one.commandId, result: { odd: true } } });
    await expect.poll(() => agent.of('result_ack')).toHaveLength(1);
    agent.socket.terminate();

    const again = await dial();
    const completed = [{ commandId: two.commandId, result: { odd: true } }];
    again.say(hello({ finished: { completed, failed: [] } }));
    await expect.poll(() => again.of('result_ack')).toHaveLength(1);
    expect(errors).toEqual([refused, refused]);
    expect(again.socket.readyState).toBe(again.socket.OPEN);
  });

  it('stops writing what it could not write when the agent is gone', async () => {
    const truth = memoryCommandQueue();
    const errors: string[] = [];
    await restart({
      commands: {
        ...bound(truth),
        finish: () => Promise.reject(Object.assign(new Error('away'), { shouldRetry: true })),
      },
      onError: (_error, where) => errors.push(where),
    });
    commands = truth;
    const { commandId } = await enqueue('desk-1');
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('command')).toHaveLength(1);
    agent.say({ type: 'complete', payload: { commandId } });
    await expect.poll(() => errors).toHaveLength(1);
    agent.socket.terminate();
    await expect.poll(() => events.map(({ type }) => type)).toEqual(['agent_online', 'agent_offline']);
    expect(errors).toHaveLength(1);
  });

  it('tells an agent that has connected anew to stop at what has ended meanwhile', async () => {
    const first = await dial();
    first.say(hello());
    const { commandId } = await enqueue('desk-1');
    await expect.poll(() => first.of('command')).toHaveLength(1);
    first.socket.terminate();
    await commands.expire(Date.now() + 120_000);
    const second = await dial();
    second.say(hello({ running: [commandId] }));
    await expect.poll(() => second.of('cancel')).toMatchObject([{ payload: { commandId } }]);
    await expect.poll(() => second.of('command')).toMatchObject([{ payload: { action: 'stop_session' } }]);
  });

  it('asks once for all agents what waits, however many there are', async () => {
    const truth = memoryCommandQueue();
    const asked: number[] = [];
    const claims: string[] = [];
    await restart({
      commands: {
        ...bound(truth),
        waiting: (agents: Parameters<CommandQueue['waiting']>[0]) => {
          asked.push(agents.length);
          return truth.waiting(agents);
        },
        claim: (...claim: Parameters<CommandQueue['claim']>) => {
          claims.push(claim[0]);
          return truth.claim(...claim);
        },
      },
    });
    commands = truth;
    server.removeAllListeners('upgrade');
    server.on('upgrade', (request, socket, head) =>
      hub.handleUpgrade(request, socket, head, request.url!.slice(1)),
    );
    const base = url;
    for (let i = 1; i <= 5; i++) {
      url = `${base}agent-${i}`;
      (await dial()).say(hello());
    }
    await expect.poll(() => asked.at(-1)).toBe(5);
    const before = claims.length;
    const rounds = asked.length;
    await expect.poll(() => asked.length).toBeGreaterThan(rounds + 3);
    expect(claims.length).toBe(before);
    await enqueue('desk-1');
    await expect.poll(() => claims.slice(before)).toContain('agent-1');
    expect(new Set(claims.slice(before))).toEqual(new Set(['agent-1']));
  });

  it('takes any frame for a sign of life', async () => {
    const reports: number[] = [];
    await restart({
      heartbeatIntervalMs: 30,
      ownership: {
        ...memoryOwnership(),
        heard: async (_agentId, epoch) => void reports.push(epoch),
      },
    });
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    const { epoch } = agent.of('welcome')[0]!.payload as { epoch: number };
    await expect
      .poll(() => {
        agent.socket.ping();
        return reports.length;
      })
      .toBeGreaterThan(1);
    expect(new Set(reports)).toEqual(new Set([epoch]));
  });

  it('closes a connection of which it turns out that another replica has a newer one', async () => {
    let tell: (replaced: { agentId: string; epoch: number }) => void = () => undefined;
    await restart({
      ownership: {
        ...memoryOwnership(),
        onSuperseded: (listener) => {
          tell = listener;
          return () => undefined;
        },
      },
    });
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    const { epoch } = agent.of('welcome')[0]!.payload as { epoch: number };
    tell({ agentId: 'agent-1', epoch: epoch - 1 });
    tell({ agentId: 'agent-1', epoch });
    expect(await agent.closed).toMatchObject({ code: CLOSE.superseded });
    expect(hub.counters().staleFrames.heartbeat).toBe(1);
  });

  it('closes a connection whose messages wait and are too long together', async () => {
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    await restart({ onEvent: (event) => (event.type === 'session_status' ? held : undefined) });
    const agent = await dial();
    agent.say(hello());
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    const payload = { sessionId: 's', generation: 1, state: 'running' };
    const long = JSON.stringify({ type: 'status', payload }).padEnd(LIMITS.controlMessageChars);
    for (let i = 0; i < 5; i++) agent.socket.send(long);
    const closed = await agent.closed;
    letGo();
    expect(closed).toEqual({
      code: CLOSE.limitReached,
      reason: 'more than 8388608 characters of control messages are waiting',
    });
  });

  it('tells of a capacity that is another than before, once, and again where the store did not take it', async () => {
    const told: AgentReport[] = [];
    let away = false;
    const ownership: AgentOwnership = {
      ...memoryOwnership(),
      async heard(_agentId, _epoch, report) {
        told.push(report);
        if (away) throw new Error('away');
      },
    };
    await restart({ ownership });
    const agent = await dial();
    agent.say(hello({ capacity: { maxSessions: 2, maxCpu: 4 } }));
    const beat = async (capacity?: Capacity): Promise<Capacity | undefined> => {
      const before = told.length;
      const payload = { status: 'online', activeSessions: 1, ...(capacity && { capacity }) } as const;
      agent.say({ type: 'heartbeat', payload });
      await expect.poll(() => told.length).toBe(before + 1);
      return told.at(-1)?.capacity;
    };
    expect(await beat({ maxSessions: 2, maxCpu: 4 })).toBeUndefined();
    expect(await beat()).toBeUndefined();
    expect(await beat({ maxSessions: 2, maxCpu: 3 })).toEqual({ maxSessions: 2, maxCpu: 3 });
    expect(await beat({ maxSessions: 2, maxCpu: 3 })).toBeUndefined();
    away = true;
    expect(await beat({ maxSessions: 5 })).toEqual({ maxSessions: 5 });
    away = false;
    expect(await beat({ maxSessions: 5 })).toEqual({ maxSessions: 5 });
    expect(await beat({ maxSessions: 5 })).toBeUndefined();
  });

  it('ignores what comes before hello and is unknown or no message, and welcomes the hello after it', async () => {
    const agent = await dial();
    agent.socket.send('{"type":"from_the_future"}');
    agent.socket.send('{');
    agent.socket.send(Buffer.from('short'));
    agent.say(hello());
    await expect
      .poll(() => agent.received)
      .toMatchObject([{ type: 'error', payload: { code: 'malformed_message' } }, { type: 'welcome' }]);
  });

  it('has what agents reported last written before it is closed', async () => {
    let flushed = 0;
    await restart({ ownership: { ...memoryOwnership(), flush: async () => void (flushed += 1) } });
    await hub[Symbol.asyncDispose]();
    expect(flushed).toBe(1);
  });

  it.each([
    [{ podName: '' }, 'podName'],
    [{ commandWindow: 0 }, 'commandWindow must be a whole number of at least 1, not 0'],
    [{ heartbeatTimeoutMs: 10_000 }, 'must be above heartbeatIntervalMs'],
  ])('refuses the options %j with a reason', (more, reason) => {
    expect(() => createAgentHub({ podName: 'p', ownership: memoryOwnership(), commands, ...more })).toThrow(
      reason,
    );
  });
});
