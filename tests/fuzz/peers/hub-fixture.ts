import { createAgent } from '@streamspace/agent-core';
import { memoryPlatform, type MemoryPlatform } from '@streamspace/agent-core/testing';
import {
  createAgentHub,
  memoryCommandQueue,
  memoryOwnership,
  type AgentHub,
  type AgentOwnership,
  type CommandQueue,
} from '@streamspace/hub';
import { encodeMessage, SUBPROTOCOL_V2, type AgentMessage } from '@streamspace/protocol';
import { WebSocket } from 'ws';
import { listen, RawSocket, WAIT_MS } from './sockets.js';
import { within } from '../target.js';

/** The agent that keeps to the rules. */
export const GOOD = 'good-agent';

const HELLO: AgentMessage = {
  type: 'hello',
  payload: {
    versions: [2],
    instanceId: 'fuzz',
    platform: 'fuzz',
    capacity: { maxSessions: 0 },
    running: [],
    finished: { completed: [], failed: [] },
  },
};

/** Its desktops echo on a port of their own: on `vnc` agents let pass what is RFB. */
function echoPlatform(): MemoryPlatform {
  const platform = memoryPlatform();
  const openStream = platform.openStream.bind(platform);
  platform.openStream = (sessionId, port, signal) =>
    openStream(sessionId, port === 'echo' ? 'vnc' : port, signal);
  return platform;
}

/** A hub on real sockets, and an agent on it that keeps to the rules. */
export class HubFixture {
  readonly wrong: string[] = [];
  readonly #waiting = new Map<string, () => void>();
  readonly #stop = new AbortController();
  readonly #commands: CommandQueue;
  readonly #close: () => Promise<void>;
  readonly #running: Promise<void>;
  #count = 0;

  private constructor(
    readonly hub: AgentHub,
    commands: CommandQueue,
    readonly port: number,
    close: () => Promise<void>,
  ) {
    this.#commands = commands;
    this.#close = close;
    const agent = createAgent({
      agentId: GOOD,
      controlPlaneUrl: `ws://127.0.0.1:${port}`,
      apiKey: 'k',
      platform: echoPlatform(),
      stopTimeoutMs: 100,
      onEvent: (event) => {
        if (event.type === 'disconnected') this.wrong.push(`the good agent was cut off: ${event.reason}`);
        if (event.type === 'command_done') this.#waiting.get(event.commandId)?.();
      },
      onError: (error, where) => this.wrong.push(`the good agent at ${where}: ${String(error)}`),
    });
    this.#running = agent.run(this.#stop.signal);
  }

  static async start(ownership: AgentOwnership = memoryOwnership()): Promise<HubFixture> {
    const commands = memoryCommandQueue();
    const errors: string[] = [];
    const hub = createAgentHub({
      podName: 'pod-a',
      ownership,
      commands,
      onError: (error, where) => {
        if ((error as { name?: unknown } | null)?.name === 'ProtocolError') return;
        errors.push(`the hub at ${where}: ${String(error)}`);
      },
    });
    const { port, close } = await listen((request, socket, head) => {
      const agentId = new URL(request.url ?? '/', 'http://local').searchParams.get('agent_id') ?? '';
      hub.handleUpgrade(request, socket, head, agentId);
    });
    const fixture = new HubFixture(hub, commands, port, close);
    fixture.#errors = errors;
    return fixture;
  }

  #errors: string[] = [];

  get problems(): readonly string[] {
    return [...this.wrong, ...this.#errors];
  }

  /** Adds a command that the agent may be asked about; the good one carries it out. */
  async command(agentId: string): Promise<string> {
    const commandId = `c-${this.#count++}`;
    const done = new Promise<void>((resolve) => this.#waiting.set(commandId, resolve));
    await this.#commands.enqueue({
      commandId,
      agentId,
      sessionId: agentId === GOOD ? 'desk' : commandId,
      generation: 1,
      action: 'start_session',
      payload: { user: 'u', template: 't', templateManifest: {} },
      deadline: Date.now() + 600_000,
    });
    this.hub.wake(agentId);
    if (agentId === GOOD) await within(WAIT_MS, `the good agent to finish ${commandId}`, done);
    this.#waiting.delete(commandId);
    return commandId;
  }

  /** A connection of this agent that was welcomed. */
  async register(agentId: string): Promise<RawSocket> {
    const socket = await this.connect(agentId);
    socket.send(encodeMessage(HELLO));
    await socket.next('welcome');
    return socket;
  }

  async connect(agentId: string): Promise<RawSocket> {
    const url = `ws://127.0.0.1:${this.port}/?agent_id=${agentId}`;
    const socket = new RawSocket(new WebSocket(url, SUBPROTOCOL_V2, { perMessageDeflate: false }));
    await within(WAIT_MS, 'the upgrade', new Promise((resolve) => socket.ws.once('open', resolve)));
    return socket;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.hub[Symbol.asyncDispose]();
    await this.#close();
  }
}
