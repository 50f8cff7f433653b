import { createAgent } from '@streamspace/agent-core';
import { memoryPlatform, type MemoryPlatform } from '@streamspace/agent-core/testing';
import {
  createAgentHub,
  memoryCommandQueue,
  memoryOwnership,
  type AgentHub,
  type CommandQueue,
} from '@streamspace/hub';
import {
  CLOSE,
  decodeAgentMessage,
  encodeFrame,
  encodeMessage,
  FRAME_HEADER_BYTES,
  SUBPROTOCOL_V2,
  type AgentMessage,
} from '@streamspace/protocol';
import { WebSocket } from 'ws';
import { echo, expectEcho } from './echo.js';
import type { Random } from './random.js';
import { frameBytes, messageText, sampleAgentMessage } from './samples.js';
import { asReceived, listen, RawSocket, WAIT_MS } from './sockets.js';
import { must, within, type Target } from './target.js';

const INPUTS = 24;
/** Malformed messages that a connection may send; docs/protocol.md. */
const MALFORMED_BUDGET = 5;
const GOOD = 'good-agent';
const POLICY = { role: 'control', clipboard: 'both' } as const;

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

/** What a connection that was welcomed has to be closed with, by what was sent on it. */
class Judge {
  readonly codes = new Set<number>();
  #malformed = 0;

  see(input: Uint8Array | string): void {
    if (typeof input !== 'string') {
      if (input.length < FRAME_HEADER_BYTES) this.codes.add(CLOSE.protocolError);
      return;
    }
    try {
      const message = decodeAgentMessage(asReceived(input));
      if (message.type === 'hello') this.codes.add(CLOSE.protocolError);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'unknown_message') return;
      this.#malformed += 1;
      if (this.#malformed > MALFORMED_BUDGET) this.codes.add(CLOSE.protocolError);
    }
  }
}

/** Its desktops echo on a port of their own: on `vnc` agents let pass what is RFB. */
function echoPlatform(): MemoryPlatform {
  const platform = memoryPlatform();
  const openStream = platform.openStream.bind(platform);
  platform.openStream = (sessionId, port, signal) =>
    openStream(sessionId, port === 'echo' ? 'vnc' : port, signal);
  return platform;
}

/** A hub, and an agent on it that keeps to the rules. */
class Fixture {
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

  static async start(): Promise<Fixture> {
    const commands = memoryCommandQueue();
    const errors: string[] = [];
    const hub = createAgentHub({
      podName: 'pod-a',
      ownership: memoryOwnership(),
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
    const fixture = new Fixture(hub, commands, port, close);
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

/** The good agent still carries out commands and passes bytes on. */
async function expectService(fixture: Fixture, random: Random): Promise<void> {
  await fixture.command(GOOD);
  const stream = await fixture.hub.openStream({
    agentId: GOOD,
    sessionId: 'desk',
    port: 'echo',
    policy: POLICY,
  });
  await expectEcho(stream, random.bytes(200));
  stream.abort();
}

/**
 * A hub on real sockets, with an agent that says anything. It is closed with the right code or goes on being served,
 * and the well-behaved agent beside it notices nothing.
 */
export function hub(): Target {
  let starting: Promise<Fixture> | undefined;
  return {
    name: 'hub',
    casesPerRound: INPUTS,
    async round(random, record) {
      const fixture = await (starting ??= Fixture.start());
      const agentId = `fuzz-${random.id().toString(16)}`;
      const socket = await fixture.connect(agentId);
      socket.send(encodeMessage(HELLO));
      await socket.next('welcome');

      const stop = new AbortController();
      const request = { agentId, sessionId: 'desk', policy: POLICY, signal: stop.signal };
      const streams = [0, 1].map(() => fixture.hub.openStream(request).then(echo, () => {}));
      await socket.until('two OPEN frames', () => socket.frames.length >= 2 || !socket.isOpen);
      const ids = socket.frames.map((frame) => Buffer.from(frame).readBigUInt64BE(2));
      socket.send(encodeFrame({ kind: 'accept', streamId: ids[0]!, credit: 1_000 }));
      const commandIds = [await fixture.command(agentId), await fixture.command(agentId), 'c-0'];

      const judge = new Judge();
      for (let fed = 0; fed < INPUTS;) {
        const isFrame = random.chance(0.5);
        const input = isFrame
          ? frameBytes(random, ids)
          : messageText(random, sampleAgentMessage(random, commandIds));
        // Each of these ends the connection, and with it the round: few are enough.
        if (endsAtOnce(input) && !random.chance(0.05)) continue;
        fed += 1;
        record(input);
        judge.see(input);
        socket.send(input);
      }
      await socket.settle();
      if (judge.codes.size > 0) {
        const code = await within(WAIT_MS, `a close with ${[...judge.codes].join(' or ')}`, socket.closed);
        must(judge.codes.has(code), `closed with ${code}, expected ${[...judge.codes].join(' or ')}`);
      } else if (!socket.isOpen) throw new Error(`closed with ${await socket.closed} for no reason`);

      await expectService(fixture, random);
      await socket.close();
      stop.abort();
      await within(WAIT_MS, 'its streams to end', Promise.all(streams));
      must(fixture.problems.length === 0, fixture.problems.join('; '));
    },
    async [Symbol.asyncDispose]() {
      await (await starting?.catch(() => undefined))?.stop();
    },
  };
}

function endsAtOnce(input: Uint8Array | string): boolean {
  const judge = new Judge();
  judge.see(input);
  return judge.codes.size > 0;
}
