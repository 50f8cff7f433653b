import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import {
  CLOSE,
  decodeControlMessage,
  encodeMessage,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type ControlMessage,
} from '@streamspace/protocol';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import {
  CONNECTION_MACHINE,
  type ConnectionEvent,
  type ConnectionOutcome,
  type ConnectionState,
} from '../src/agent-connection-machine.js';
import {
  createAgentHub,
  memoryCommandQueue,
  memoryOwnership,
  type AgentEpoch,
  type AgentHub,
  type AgentOwnership,
  type Claim,
  type ClaimRequest,
  type HubEvent,
} from '../src/index.js';

const STATES = Object.keys(CONNECTION_MACHINE.states) as ConnectionState[];
const EVENTS = Object.keys(CONNECTION_MACHINE.events) as ConnectionEvent[];
const AGENT = 'agent-1';
/** Longer than what the hub is slowest at here: tearing down a socket whose close is not answered. */
const PATIENCE_MS = 3_000;
const CLOSE_TIMEOUT_MS = 1_000;
const HELLO_TIMEOUT_MS = 10_000;
/** Events that are the passing of time that the hub measures by its own clock, with the options that shorten it. */
const SHORT = {
  silence: { heartbeatIntervalMs: 50, heartbeatTimeoutMs: 100 },
  ack_timeout: { ackTimeoutMs: 50 },
} as const;
/** Events for which the test moves the clock of timers. */
const FAKED: readonly ConnectionEvent[] = ['hello_timeout', 'close_timeout'];

const hello = (versions: number[]): AgentMessage => ({
  type: 'hello',
  payload: {
    versions,
    instanceId: 'instance-1',
    platform: 'memory',
    capacity: { maxSessions: 0 },
    running: [],
    finished: { completed: [], failed: [] },
  },
});

type Answer = 'granted' | 'refused' | 'failed';

/** Ownership in memory that answers when the test says so, and notes what it is asked. */
class GatedOwnership implements AgentOwnership {
  readonly truth = memoryOwnership();
  /** Claims that wait for their answer. */
  readonly waiting: ((answer: Answer) => void)[] = [];
  /** Connections that asked for a claim; the first is the one that is driven. */
  readonly asked: string[] = [];
  readonly released: string[] = [];
  heardOf = 0;
  /** Refuses what is asked from now on. */
  isOver = false;
  supersede: (replaced: AgentEpoch) => void = () => undefined;

  async claim(request: ClaimRequest): Promise<Claim> {
    this.asked.push(request.connectionId);
    const answer = this.isOver
      ? 'refused'
      : await new Promise<Answer>((resolve) => this.waiting.push(resolve));
    if (answer === 'failed') throw new Error('the database is away');
    if (answer === 'refused') return { ok: false, code: 'agent_unknown', message: 'no such agent' };
    return this.truth.claim(request);
  }

  async release(agentId: string, connectionId: string, epoch: number): Promise<void> {
    this.released.push(connectionId);
    await this.truth.release(agentId, connectionId, epoch);
  }

  async heard(): Promise<void> {
    this.heardOf += 1;
  }

  onSuperseded(listener: (replaced: AgentEpoch) => void): () => void {
    this.supersede = listener;
    return () => undefined;
  }
}

/** One connection that is driven, with the hub that it leads to. */
class Stage implements AsyncDisposable {
  readonly ownership = new GatedOwnership();
  readonly commands = memoryCommandQueue();
  readonly events: HubEvent[] = [];
  readonly errors: string[] = [];
  readonly received: ControlMessage[] = [];
  commandId = 'a-command';
  closeCode: number | undefined;
  socket!: WebSocket;
  readonly #hub: AgentHub;
  readonly #server: Server;
  readonly #served: Socket[] = [];
  readonly #others: WebSocket[] = [];

  constructor(event: ConnectionEvent) {
    this.#hub = createAgentHub({
      podName: 'pod-a',
      ownership: this.ownership,
      commands: this.commands,
      onEvent: (event) => void this.events.push(event),
      onError: (_error, where) => this.errors.push(where),
      sweepIntervalMs: 10,
      ...(event === 'silence' || event === 'ack_timeout' ? SHORT[event] : {}),
    });
    this.#server = createServer();
    this.#server.on('upgrade', (request, socket, head) => {
      this.#served.push(socket as Socket);
      this.#hub.handleUpgrade(request, socket, head, AGENT);
    });
  }

  async #dial(): Promise<WebSocket> {
    const { port } = this.#server.address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, SUBPROTOCOL_V2);
    socket.on('error', () => undefined);
    await once(socket, 'open');
    return socket;
  }

  say(message: AgentMessage | string): void {
    if (this.socket.readyState === WebSocket.OPEN || this.socket.readyState === WebSocket.CLOSING)
      this.socket.send(typeof message === 'string' ? message : encodeMessage(message));
  }

  async answerClaim(answer: Answer): Promise<void> {
    this.ownership.waiting.shift()?.(answer);
    await settled();
  }

  async bring(state: ConnectionState): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.socket = await this.#dial();
    this.socket.on('message', (data: Buffer) => this.received.push(decodeControlMessage(data.toString())));
    this.socket.on('close', (code: number) => (this.closeCode = code));
    if (state === 'greeting') return;
    if (state === 'rejected') {
      this.socket.pause();
      this.say({ type: 'pong', payload: {} });
      await this.handled();
      return;
    }
    if (state !== 'ended') this.say(hello([2]));
    if (state === 'ended' || state === 'lost') {
      if (state === 'lost') await until(() => this.ownership.waiting.length === 1);
      await this.loseSocket();
      return;
    }
    await until(() => this.ownership.waiting.length === 1);
    if (state === 'claiming') return;
    await this.answerClaim('granted');
    await until(() => this.received.length > 0);
    if (state === 'outdated') await this.claimElsewhere();
    if (state === 'superseded') await this.claimHere();
  }

  /** That of its welcome; 0 before that. */
  get epoch(): number {
    for (const { type, payload } of this.received) if (type === 'welcome') return payload.epoch;
    return 0;
  }

  async loseSocket(): Promise<void> {
    if (this.#served[0]!.destroyed) return;
    const gone = once(this.#served[0]!, 'close');
    this.socket.terminate();
    await gone;
  }

  /** The agent connects to this replica again. It reads nothing on the first connection any more. */
  async claimHere(): Promise<void> {
    this.socket.pause();
    const other = await this.#dial();
    this.#others.push(other);
    const before = this.ownership.waiting.length;
    other.send(encodeMessage(hello([2])));
    await until(() => this.ownership.waiting.length > before);
    this.ownership.waiting.pop()!('granted');
    await once(other, 'message');
  }

  /** Another replica claims the agent, and the queue knows. */
  async claimElsewhere(): Promise<void> {
    const claim = await this.ownership.truth.claim({
      agentId: AGENT,
      connectionId: randomUUID(),
      instanceId: 'instance-1',
      platform: 'memory',
      capacity: { maxSessions: 0 },
    });
    if (claim.ok) await this.commands.claim(AGENT, claim.epoch, 0);
  }

  async enqueue(): Promise<string> {
    const { commandId } = await this.commands.enqueue({
      commandId: randomUUID(),
      agentId: AGENT,
      sessionId: 's-1',
      generation: 1,
      action: 'start_session',
      payload: {},
      deadline: Date.now() + 60_000,
    });
    this.#hub.wake(AGENT);
    return commandId;
  }

  disconnect(): void {
    this.#hub.disconnect(AGENT, 'the key was revoked');
  }

  closeHub(): void {
    void this.#hub[Symbol.asyncDispose]();
  }

  /** All that the agent has sent has been handled, as far as it can be. */
  async handled(): Promise<void> {
    const served = this.#served[0]!;
    const sent = (this.socket as unknown as { _socket: Socket | null })._socket;
    if (sent && !served.destroyed)
      await until(() => served.destroyed || served.bytesRead >= sent.bytesWritten);
    await settled();
  }

  get state(): ConnectionState {
    const isClaiming = this.ownership.waiting.length > 0;
    if (this.#served[0]!.destroyed) return isClaiming ? 'lost' : 'ended';
    if (isClaiming) return 'claiming';
    if (this.epoch === 0) return this.isRejected ? 'rejected' : 'greeting';
    if (this.#hub.agents()[0]?.epoch !== this.epoch) return 'superseded';
    return this.isOutdated ? 'outdated' : 'active';
  }

  /** What the hub does not show: the test knows. */
  isOutdated = false;
  isRejected = false;

  get staleFrames(): number {
    return Object.values(this.#hub.counters().staleFrames).reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    vi.useRealTimers();
    this.ownership.isOver = true;
    for (const answer of this.ownership.waiting) answer('refused');
    for (const socket of [this.socket, ...this.#others]) socket.terminate();
    await this.#hub[Symbol.asyncDispose]();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Everything that has happened has been acted on: no promise waits for anything else in this process. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Real time, also while the clock of timers is faked. */
async function until(isTrue: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  while (!isTrue() && performance.now() < end) await wait(1);
  return isTrue();
}

const report = (commandId: string): Readonly<Record<string, AgentMessage>> => ({
  heartbeat: { type: 'heartbeat', payload: { status: 'online', activeSessions: 0 } },
  ack: { type: 'ack', payload: { commandId } },
  complete: { type: 'complete', payload: { commandId } },
  inventory: { type: 'inventory', payload: { position: 0, sessions: [] } },
  status: { type: 'status', payload: { sessionId: 's-1', generation: 1, state: 'failed' } },
  session_event: {
    type: 'session_event',
    payload: { sessionId: 's-1', generation: 1, kind: 'idle', message: 'Idle.' },
  },
  pong: { type: 'pong', payload: {} },
});

const MALFORMED = '{"type":"ack","payload":{}}';

async function fire(stage: Stage, event: ConnectionEvent): Promise<void> {
  const say = (type: string): void => stage.say(report(stage.commandId)[type]!);
  const fires: Record<ConnectionEvent, () => unknown> = {
    hello: () => stage.say(hello([2])),
    hello_of_other_version: () => stage.say(hello([9])),
    claim_granted: () => stage.answerClaim('granted'),
    claim_refused: () => stage.answerClaim('refused'),
    claim_failed: () => stage.answerClaim('failed'),
    heartbeat: () => say('heartbeat'),
    ack: () => say('ack'),
    complete: () => say('complete'),
    inventory: () => say('inventory'),
    status: () => say('status'),
    session_event: () => say('session_event'),
    pong: () => say('pong'),
    unknown: () => stage.say('{"type":"from_the_future","payload":{}}'),
    malformed: () => stage.say(MALFORMED),
    malformed_too_often: () => {
      for (let count = 0; count < 6; count++) stage.say(MALFORMED);
    },
    newer_here: () => stage.claimHere(),
    newer_elsewhere: () => stage.claimElsewhere(),
    newer_noticed: () => stage.ownership.supersede({ agentId: AGENT, epoch: stage.epoch }),
    disconnect: () => stage.disconnect(),
    hub_close: () => stage.closeHub(),
    hello_timeout: () => vi.advanceTimersByTimeAsync(HELLO_TIMEOUT_MS),
    ack_timeout: async () => {
      await stage.enqueue();
      await wait(4 * SHORT.ack_timeout.ackTimeoutMs);
    },
    close_answered: () => stage.socket.resume(),
    close_timeout: () => vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT_MS),
    silence: () => wait(2 * SHORT.silence.heartbeatTimeoutMs),
    socket_lost: () => stage.loseSocket(),
  };
  await fires[event]();
}

interface Counts {
  readonly stale: number;
  readonly heard: number;
  readonly released: number;
  readonly errors: number;
  readonly events: number;
  readonly received: number;
}

const count = ({ ownership, errors, events, received, staleFrames }: Stage): Counts => ({
  stale: staleFrames,
  heard: ownership.heardOf,
  released: ownership.released.filter((id) => id === ownership.asked[0]).length,
  errors: errors.length,
  events: events.length,
  received: received.length,
});

const TOLD: Readonly<Record<string, string>> = {
  welcome: 'welcome',
  refused: 'refusal',
  error: 'error',
  result_ack: 'result_ack',
};
const SAID: Readonly<Record<HubEvent['type'], string>> = {
  agent_online: 'online',
  agent_offline: 'offline',
  inventory: 'passed_on',
  session_status: 'passed_on',
  session_event: 'passed_on',
};

/** What has happened since `before`, in the words of the table. */
function observe(stage: Stage, before: Counts, from: ConnectionState, event: ConnectionEvent): string {
  const now = count(stage);
  const said = stage.events.slice(before.events).filter(({ epoch }) => epoch === stage.epoch);
  const does = [
    ...stage.received.slice(before.received).map(({ type }) => TOLD[type] ?? ''),
    ...said.map(({ type }) => SAID[type]),
    ...(now.stale > before.stale ? ['stale'] : []),
    // Until it is silent for too long it is reported as alive.
    ...(now.heard > before.heard && event !== 'silence' ? ['heard'] : []),
    ...(now.released > before.released ? ['released'] : []),
    ...(now.errors > before.errors ? ['reported'] : []),
  ].filter((effect) => effect !== '');
  const { state } = stage;
  // The code of a close that was sent before is not the event's.
  const isDown = (state === 'ended' || state === 'lost') && from !== 'superseded' && from !== 'rejected';
  const code = Object.entries(CLOSE).find(([, value]) => value === stage.closeCode)?.[0];
  const close = isDown && code !== undefined ? [code] : [];
  return [state, ...close, ...[...new Set(does)].sort()].join(' ');
}

afterEach(() => vi.useRealTimers());

async function drive(state: ConnectionState, event: ConnectionEvent): Promise<string[]> {
  if (FAKED.includes(event)) vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await using stage = new Stage(event);
  await stage.bring(state);
  stage.isRejected = state === 'rejected';
  stage.isOutdated = state === 'outdated' || event === 'newer_elsewhere';
  if (event === 'complete' && state === 'active') {
    stage.commandId = await stage.enqueue();
    await until(() => stage.received.some(({ type }) => type === 'command'));
  }
  const before = count(stage);
  await fire(stage, event);
  await stage.handled();
  const outcome: ConnectionOutcome = CONNECTION_MACHINE.table[state][event];
  const { to, close, does = [] } = outcome;
  const expected = [to, ...(close ? [close] : []), ...[...does].sort()].join(' ');
  await until(() => observe(stage, before, state, event) === expected);
  const seen = observe(stage, before, state, event);
  return seen === expected ? [] : [`${event} on one that is ${state}: ${seen}, expected ${expected}`];
}

it.each(STATES)(
  'a connection that is %s does what the table of agent-connection-machine.ts says',
  { timeout: 60_000 },
  async (state) => {
    const deviations: string[] = [];
    for (const event of EVENTS) deviations.push(...(await drive(state, event)));
    expect(deviations.join('\n')).toBe('');
  },
);
