import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  CLOSE,
  decodeAgentMessage,
  encodeMessage,
  SUBPROTOCOL_V2,
  type ControlMessage,
} from '@streamspace/protocol';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { createAgent, type Agent, type Leadership } from '../src/index.js';
import { TERM_MACHINE, type TermEvent, type TermOutcome, type TermState } from '../src/term-machine.js';
import { memoryPlatform } from '../src/testing/index.js';
import { welcome } from './control-plane.js';

const STATES = Object.keys(TERM_MACHINE.states) as TermState[];
const EVENTS = Object.keys(TERM_MACHINE.events) as TermEvent[];
const PATIENCE_MS = 3_000;
const PAUSE_MS = 1_000;
const STOP_TIMEOUT_MS = 10_000;
const LET_GO_MS = 5_000;
/** How long a state may take, in ms. Where it may take for ever, some time. */
const LONGEST_MS: Readonly<Record<TermState, number>> = {
  campaigning: 60_000,
  registering: 1_000,
  dialling: 1_000,
  greeting: 15_000,
  connected: 10_000,
  acting: 10_000,
  moving: 1_000,
  pausing: PAUSE_MS,
  pausing_unregistered: PAUSE_MS,
  draining: STOP_TIMEOUT_MS,
  letting_go: LET_GO_MS,
  letting_go_to_stop: LET_GO_MS,
  stopped: 60_000,
};
/** Before the clock of timers is faked. */
const realTimeout = setTimeout;

/** How the agent comes into each state. */
const CONNECTED: readonly TermEvent[] = ['elected', 'registered', 'upgraded', 'welcomed'];
const ACTING: readonly TermEvent[] = [...CONNECTED, 'commanded'];
const PATHS: Readonly<Record<TermState, readonly TermEvent[]>> = {
  campaigning: [],
  registering: ['elected'],
  dialling: ['elected', 'registered'],
  greeting: ['elected', 'registered', 'upgraded'],
  connected: CONNECTED,
  acting: ACTING,
  moving: [...CONNECTED, 'move_asked'],
  pausing: ['elected', 'registered', 'upgrade_failed'],
  pausing_unregistered: ['elected', 'registration_postponed'],
  draining: [...ACTING, 'stop'],
  letting_go: [...ACTING, 'lost'],
  letting_go_to_stop: [...ACTING, 'lost', 'stop'],
  stopped: ['stop'],
};

/** A connection as the control plane sees it. */
interface Link {
  readonly ws: WebSocket;
  isGreeted: boolean;
  isWelcomed: boolean;
  /** Asked to move. */
  isLeaving: boolean;
  /** By the agent, with a close. */
  isClosedByAgent: boolean;
  isOpen: boolean;
  /** Closed or torn down by the control plane. */
  isEndedHere: boolean;
}

interface Upgrade {
  accept(): void;
  refuse(status: string): void;
}

/** A control plane, an election and a platform that answer when the test says so, around one agent. */
class Stage implements AsyncDisposable {
  agent!: Agent;
  isFailed = false;
  released = 0;
  abandoned = 0;
  aborted = 0;
  readonly #links: Link[] = [];
  #registration: ServerResponse | undefined;
  #upgrade: Upgrade | undefined;
  #isRegistered = false;
  #elect: (() => void) | undefined;
  #lose = new AbortController();
  #isLeading = false;
  #isToStop = false;
  #call: { end: () => void; isAborted: boolean } | undefined;
  #running: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();
  readonly #upgrades = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL_V2 });
  readonly #server: Server = createServer((request, response) => {
    request.resume().on('end', () => (this.#registration = response));
    response.on('close', () => {
      if (this.#registration === response) this.#registration = undefined;
    });
  });

  async start(): Promise<void> {
    this.#server.on('upgrade', (request, socket, head) => {
      const upgrade: Upgrade = {
        accept: () => this.#upgrades.handleUpgrade(request, socket, head, (ws) => this.#linked(ws)),
        refuse: (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`),
      };
      this.#upgrade = upgrade;
      (socket as Socket).on('error', () => undefined);
      socket.on('close', () => {
        if (this.#upgrade === upgrade) this.#upgrade = undefined;
      });
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const platform = memoryPlatform();
    platform.before = (_what, _sessionId, signal) =>
      new Promise<void>((resolve) => {
        const call = { end: resolve, isAborted: signal.aborted };
        this.#call = call;
        signal.addEventListener('abort', () => {
          call.isAborted = true;
          this.aborted += 1;
        });
      });
    this.agent = createAgent({
      agentId: 'agent-1',
      controlPlaneUrl: `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      apiKey: 'k',
      platform,
      stopTimeoutMs: STOP_TIMEOUT_MS,
      reconnect: { first: PAUSE_MS, longest: PAUSE_MS },
      election: { campaign: (signal) => this.#campaign(signal) },
    });
    this.#running = this.agent.run(this.#stop.signal).catch(() => (this.isFailed = true));
  }

  async #campaign(signal: AbortSignal): Promise<Leadership> {
    this.#isLeading = false;
    await new Promise<void>((resolve, reject) => {
      this.#elect = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    this.#lose = new AbortController();
    this.#isLeading = true;
    return {
      fencingToken: 7,
      lost: this.#lose.signal,
      abandon: () => void (this.abandoned += 1),
      [Symbol.asyncDispose]: async () => void (this.released += 1),
    };
  }

  #linked(ws: WebSocket): void {
    const link: Link = {
      ws,
      isGreeted: false,
      isWelcomed: false,
      isLeaving: false,
      isClosedByAgent: false,
      isOpen: true,
      isEndedHere: false,
    };
    this.#links.push(link);
    ws.on('error', () => undefined);
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) return;
      const message = decodeAgentMessage(data.toString());
      if (message.type === 'hello') link.isGreeted = true;
      if (message.type === 'complete' || message.type === 'failed')
        this.#say(link, { type: 'result_ack', payload: { commandId: message.payload.commandId } });
    });
    ws.on('close', () => {
      link.isOpen = false;
      link.isClosedByAgent = !link.isEndedHere;
    });
  }

  #say(link: Link | undefined, message: ControlMessage): void {
    if (link?.isOpen) link.ws.send(encodeMessage(message));
  }

  /** On which the agent is welcomed. */
  get #current(): Link | undefined {
    return this.#links.findLast((link) => link.isOpen && link.isWelcomed);
  }

  get #next(): Link | undefined {
    return this.#links.findLast((link) => link.isOpen && link.isGreeted && !link.isWelcomed);
  }

  /** Connections on which the agent was welcomed, and that it closed. */
  get closed(): number {
    return this.#links.filter((link) => link.isWelcomed && link.isClosedByAgent).length;
  }

  #end(link: Link | undefined, how: (ws: WebSocket) => void): void {
    if (!link) return;
    link.isEndedHere = true;
    how(link.ws);
  }

  readonly #fires: Record<TermEvent, () => unknown> = {
    elected: () => {
      this.#elect?.();
      this.#elect = undefined;
    },
    registered: () => this.#answerRegistration(200, '{}'),
    registration_postponed: () => this.#answerRegistration(503, '{}'),
    registration_rejected: () => this.#answerRegistration(401, '{"code":"agent_key_invalid"}'),
    upgraded: () => this.#answerUpgrade((upgrade) => upgrade.accept()),
    upgrade_failed: () => this.#answerUpgrade((upgrade) => upgrade.refuse('503 Service Unavailable')),
    upgrade_rejected: () => {
      this.#answerUpgrade((upgrade) => {
        this.#isRegistered = false;
        upgrade.refuse('401 Unauthorized');
      });
    },
    welcomed: () => {
      const link = this.#next;
      if (!link) return;
      link.isWelcomed = true;
      this.#say(link, welcome());
    },
    superseded: () => this.#end(this.#current ?? this.#next, (ws) => ws.close(CLOSE.superseded, 'newer')),
    disconnected: () => this.#end(this.#current ?? this.#next, (ws) => ws.terminate()),
    next_lost: () => this.#end(this.#next, (ws) => ws.terminate()),
    move_asked: async () => {
      const link = this.#current;
      if (!link || link.isLeaving || this.agent.status !== 'connected') return;
      link.isLeaving = true;
      this.#say(link, { type: 'drain', payload: {} });
      await until(() => this.#upgrade !== undefined);
      this.#answerUpgrade((upgrade) => upgrade.accept());
      await until(() => this.#next !== undefined);
    },
    commanded: () =>
      this.#say(this.#current, {
        type: 'command',
        payload: {
          commandId: 'c-1',
          action: 'start_session',
          sessionId: 's-1',
          generation: 1,
          timeoutMs: 600_000,
          payload: { user: 'u', template: 't', templateManifest: {} },
        },
      }),
    call_ended: () => {
      this.#call?.end();
      this.#call = undefined;
    },
    timeout: () => vi.advanceTimersByTimeAsync(LONGEST_MS[this.state!]),
    lost: () => {
      if (this.#isLeading) this.#lose.abort();
    },
    stop: () => {
      this.#isToStop = true;
      this.#stop.abort();
    },
  };

  #answerRegistration(status: number, body: string): void {
    const response = this.#registration;
    this.#registration = undefined;
    if (!response) return;
    this.#isRegistered = status === 200;
    response.writeHead(status).end(body);
  }

  #answerUpgrade(answer: (upgrade: Upgrade) => void): void {
    const upgrade = this.#upgrade;
    this.#upgrade = undefined;
    if (upgrade) answer(upgrade);
  }

  async fire(event: TermEvent): Promise<void> {
    await this.#fires[event]();
  }

  get state(): TermState | undefined {
    switch (this.agent.status) {
      case 'campaigning':
        return this.#elect ? 'campaigning' : undefined;
      case 'stopped':
        return 'stopped';
      case 'stopping':
        if (!this.#call) return undefined;
        if (!this.#call.isAborted) return 'draining';
        return this.#isToStop ? 'letting_go_to_stop' : 'letting_go';
      default:
        return this.#connecting;
    }
  }

  get #connecting(): TermState | undefined {
    const current = this.#current;
    if (current?.isLeaving) return 'moving';
    if (current) {
      if (this.agent.status !== 'connected') return undefined;
      return this.#call ? 'acting' : 'connected';
    }
    if (this.#next) return 'greeting';
    if (this.#upgrade) return 'dialling';
    if (this.#registration) return 'registering';
    if (vi.getTimerCount() === 0) return undefined;
    return this.#isRegistered ? 'pausing' : 'pausing_unregistered';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#call?.end();
    this.#answerUpgrade((upgrade) => upgrade.refuse('503 Service Unavailable'));
    vi.useRealTimers();
    for (const link of this.#links) link.ws.terminate();
    await this.#running;
    this.#upgrades.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const turn = (ms: number): Promise<void> => new Promise((resolve) => realTimeout(resolve, ms));

async function until(isTrue: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  while (!isTrue() && performance.now() < end) await turn(1);
  return isTrue();
}

/** What cannot be seen to have come: sockets are read, and what follows from that has happened. */
const SETTLE_MS = 15;

type Counts = Readonly<Record<'released' | 'abandoned' | 'aborted' | 'closed' | 'failed', number>>;
const count = ({ released, abandoned, aborted, closed, isFailed }: Stage): Counts => ({
  released,
  abandoned,
  aborted,
  closed,
  failed: Number(isFailed),
});

function observe(stage: Stage, before: Counts): string {
  const now = count(stage);
  const does = (Object.keys(now) as (keyof Counts)[]).filter((effect) => now[effect] > before[effect]);
  return [stage.state, ...does.sort()].join(' ');
}

afterEach(() => vi.useRealTimers());

async function drive(state: TermState, event: TermEvent): Promise<string[]> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await using stage = new Stage();
  await stage.start();
  let at: TermState = 'campaigning';
  for (const step of PATHS[state]) {
    await until(() => stage.state === at);
    await stage.fire(step);
    at = TERM_MACHINE.table[at][step].to;
  }
  await until(() => stage.state === state);
  if (stage.state !== state) return [`not brought to ${state}: ${stage.state}`];
  const before = count(stage);
  await stage.fire(event);
  await turn(SETTLE_MS);
  const { to, does = [] }: TermOutcome = TERM_MACHINE.table[state][event];
  const expected = [to, ...[...does].sort()].join(' ');
  await until(() => observe(stage, before) === expected);
  const seen = observe(stage, before);
  return seen === expected ? [] : [`${event} in ${state}: ${seen}, expected ${expected}`];
}

it.each(STATES)(
  'an agent that is %s does what the table of term-machine.ts says',
  { timeout: 60_000 },
  async (state) => {
    const deviations: string[] = [];
    for (const event of EVENTS) deviations.push(...(await drive(state, event)));
    expect(deviations.join('\n')).toBe('');
  },
);
