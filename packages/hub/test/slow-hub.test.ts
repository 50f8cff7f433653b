import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import {
  CLOSE,
  decodeControlMessage,
  encodeMessage,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type ControlMessage,
} from '@streamspace/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ACK_BACKLOG_LIMIT } from '../src/ack-timer.js';
import {
  createAgentHub,
  memoryCommandQueue,
  memoryOwnership,
  type AgentHub,
  type AgentHubOptions,
  type CommandQueue,
} from '../src/index.js';

const ACK_TIMEOUT_MS = 100;

const gates: (() => void)[] = [];

/** Something that the test lets go on when it wants to, at the latest when it is over. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  gates.push(() => open());
  return { opened, open: () => open() };
}

describe('a hub that is slow', () => {
  let hub: AgentHub;
  let server: Server;
  let commands: CommandQueue;

  const start = async (more: Partial<AgentHubOptions> = {}): Promise<void> => {
    hub = createAgentHub({
      podName: 'pod-a',
      ownership: memoryOwnership(),
      commands,
      sweepIntervalMs: 10,
      ackTimeoutMs: ACK_TIMEOUT_MS,
      ...more,
    });
    server = createServer();
    server.on('upgrade', (request, socket, head) => hub.handleUpgrade(request, socket, head, 'agent-1'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  };
  afterEach(async () => {
    vi.useRealTimers();
    for (const open of gates.splice(0)) open();
    await hub[Symbol.asyncDispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const dial = async (onCommand: (say: (message: AgentMessage) => void, commandId: string) => void) => {
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, SUBPROTOCOL_V2);
    const received: ControlMessage[] = [];
    const say = (message: AgentMessage): void => socket.send(encodeMessage(message));
    socket.on('message', (data: Buffer) => {
      const message = decodeControlMessage(data.toString());
      received.push(message);
      if (message.type === 'command') onCommand(say, message.payload.commandId);
    });
    const closed = once(socket, 'close').then(([code, reason]) => ({
      code: code as number,
      reason: String(reason),
    }));
    await once(socket, 'open');
    say({
      type: 'hello',
      payload: {
        versions: [2],
        instanceId: randomUUID(),
        platform: 'memory',
        capacity: { maxSessions: 0 },
        running: [],
        finished: { completed: [], failed: [] },
      },
    });
    const of = (type: ControlMessage['type']): ControlMessage[] =>
      received.filter((message) => message.type === type);
    return { socket, say, of, closed };
  };
  const enqueue = async (): Promise<string> => {
    const commandId = randomUUID();
    await commands.enqueue({
      commandId,
      agentId: 'agent-1',
      sessionId: `session of ${commandId}`,
      generation: 1,
      action: 'start_session',
      payload: {},
      deadline: Date.now() + 60_000,
    });
    hub.wake('agent-1');
    return commandId;
  };
  const emptyInventory: AgentMessage = { type: 'inventory', payload: { position: 0, sessions: [] } };

  /** A hub whose owner takes its time with inventories, and an agent that waits behind one. */
  const behindAnInventory = async (onCommand: Parameters<typeof dial>[0]) => {
    commands = memoryCommandQueue();
    const [begun, may] = [gate(), gate()];
    await start({
      commands,
      onEvent: async ({ type }) => {
        if (type !== 'inventory') return;
        begun.open();
        await may.opened;
      },
    });
    const agent = await dial(onCommand);
    agent.say(emptyInventory);
    await begun.opened;
    return { agent, may };
  };

  it('keeps a connection whose acknowledgement waits behind an inventory for several timeouts', async () => {
    const { agent, may } = await behindAnInventory((say, commandId) =>
      say({ type: 'ack', payload: { commandId } }),
    );
    const commandId = await enqueue();
    await expect.poll(() => agent.of('command')).toHaveLength(1);
    await wait(3 * ACK_TIMEOUT_MS);
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
    may.open();
    agent.say({ type: 'complete', payload: { commandId } });
    await expect.poll(() => agent.of('result_ack')).toHaveLength(1);
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
    expect(agent.of('command')).toHaveLength(1);
  });

  it('closes a connection without acknowledgement within its limit, however much of it is unhandled', async () => {
    const { agent, may } = await behindAnInventory((say) => say({ type: 'pong', payload: {} }));
    await enqueue();
    const { code, reason } = await agent.closed;
    expect(code).toBe(CLOSE.timeout);
    const sentMs = Number(/sent (\d+) ms ago/.exec(reason)?.[1]);
    expect(sentMs / ACK_TIMEOUT_MS).toBeGreaterThanOrEqual(ACK_BACKLOG_LIMIT);
    expect(sentMs / ACK_TIMEOUT_MS).toBeLessThan(2 * ACK_BACKLOG_LIMIT);
    may.open();
  });

  it('takes an outcome for an acknowledgement while the outcome is being stored', async () => {
    const may = gate();
    const queue = memoryCommandQueue();
    commands = queue;
    await start({
      commands: {
        enqueue: (command) => queue.enqueue(command),
        claim: (...claim) => queue.claim(...claim),
        recall: (...recall) => queue.recall(...recall),
        waiting: (agents) => queue.waiting(agents),
        resume: (...resume) => queue.resume(...resume),
        acknowledge: (...said) => queue.acknowledge(...said),
        finish: async (...said) => {
          await may.opened;
          return queue.finish(...said);
        },
        expire: (now) => queue.expire(now),
      },
    });
    const agent = await dial((say, commandId) => say({ type: 'complete', payload: { commandId } }));
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    await enqueue();
    await expect.poll(() => agent.of('command')).toHaveLength(1);
    await wait(3 * ACK_TIMEOUT_MS);
    expect(agent.of('result_ack')).toEqual([]);
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
    may.open();
    await expect.poll(() => agent.of('result_ack')).toHaveLength(1);
  });

  it('finds no agent silent for a turn of the event loop that took longer than every limit', async () => {
    commands = memoryCommandQueue();
    await start({ commands, heartbeatIntervalMs: 50, heartbeatTimeoutMs: 200 });
    const agent = await dial(() => undefined);
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    const commandId = await enqueue();
    await expect.poll(() => agent.of('command')).toHaveLength(1);
    // What the agent says is with the kernel before the turn is over.
    const over = performance.now() + 400;
    agent.say({ type: 'ack', payload: { commandId } });
    while (performance.now() < over);
    agent.say({ type: 'complete', payload: { commandId } });
    await expect.poll(() => agent.of('result_ack')).toHaveLength(1);
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('closes no connection for a missing hello while it is the claim that takes its time', async () => {
    const [asked, may] = [gate(), gate()];
    const ownership = memoryOwnership();
    commands = memoryCommandQueue();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await start({
      ownership: {
        claim: async (request) => {
          asked.open();
          await may.opened;
          return ownership.claim(request);
        },
        release: (...released) => ownership.release(...released),
        heard: (...heard) => ownership.heard(...heard),
      },
    });
    const agent = await dial(() => undefined);
    await asked.opened;
    vi.advanceTimersByTime(11_000);
    may.open();
    await expect.poll(() => agent.of('welcome')).toHaveLength(1);
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
  });
});
