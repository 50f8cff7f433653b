import { CLOSE, type OpenRequest } from '@streamspace/protocol';
import { TunnelError } from '@streamspace/vnc-tunnel';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { VIEWER_CLOSE } from '../src/http/viewer-end.js';
import {
  VIEWER_MACHINE,
  type ViewerEvent,
  type ViewerOutcome,
  type ViewerState,
} from '../src/http/viewer-machine.js';
import type { Database } from '../src/index.js';
import { pgliteDatabase } from '../src/pglite/index.js';
import { fakeAgent, type FakeAgent } from './support/fake-agent.js';
import { setUpAdmin, startServer, type TestClient, type TestServer } from './support/server.js';

const STATES = Object.keys(VIEWER_MACHINE.states) as ViewerState[];
const EVENTS = Object.keys(VIEWER_MACHINE.events) as ViewerEvent[];
/** Longer than any limit below, and than the 2 s in which the reason of an end is found out. */
const PATIENCE_MS = 8_000;
const WAIT_MS = 2_000;
const IDLE_MS = 500;
/** Three questions of 20 s: the first two have no answer. */
const SILENT_MS = 60_000;
const LARGEST_MESSAGE = 1024 * 1024;

const CODES = Object.entries<number>({ ...CLOSE, ...VIEWER_CLOSE, tooLarge: 1009 });

/** How a viewer comes into each state. */
const PATHS: Readonly<Record<ViewerState, readonly ViewerEvent[]>> = {
  admitting: [],
  waiting: ['ticket_taken'],
  opening: ['ticket_taken', 'session_running'],
  joined: ['ticket_taken', 'session_running', 'desktop_opened'],
  explaining: ['ticket_taken', 'session_running', 'desktop_opened', 'desktop_ended'],
  closed: ['viewer_left'],
};

/** A database that answers the look-up of a ticket when the test says so. */
function gated(database: Database) {
  let open: (() => void) | undefined;
  const gate: Database = {
    async query(sql, params) {
      if (sql.startsWith('delete from viewer_tickets where token_hash'))
        await new Promise<void>((resolve) => (open = resolve));
      return database.query(sql, params);
    },
    script: (sql, options) => database.script(sql, options),
    transaction: (work) => database.transaction(work),
    [Symbol.asyncDispose]: async () => undefined,
  };
  return {
    gate,
    get isHeld() {
      return open !== undefined;
    },
    release() {
      open?.();
      open = undefined;
    },
  };
}

interface Opening {
  resolve(): void;
  reject(error: Error): void;
}

/** A control plane and an agent that do what the test says, for one viewer after the other. */
class Desk implements AsyncDisposable {
  server!: TestServer;
  client!: TestClient;
  agent!: FakeAgent;
  readonly tickets: ReturnType<typeof gated>;
  /** Desktops that the agent was asked for and has not answered, by session. */
  readonly openings = new Map<string, Opening>();
  #key = '';

  constructor(
    private readonly database: Database,
    private readonly idleTimeoutMs: number,
  ) {
    this.tickets = gated(database);
  }

  async start(): Promise<this> {
    this.server = await startServer(this.tickets.gate, {
      viewerWaitMs: WAIT_MS,
      viewersPerSession: 1,
      vncIdleTimeoutMs: this.idleTimeoutMs,
      hub: { sweepIntervalMs: 50, openTimeoutMs: WAIT_MS },
    });
    this.client = await setUpAdmin(this.server);
    this.#key = await this.server.controlPlane.agents.issueKey('desk-1');
    await this.connectAgent();
    return this;
  }

  async connectAgent(): Promise<void> {
    this.agent = await fakeAgent({
      url: this.server.wsUrl,
      agentId: 'desk-1',
      key: this.#key,
      ignore: () => true,
      refuse: ({ sessionId }: OpenRequest) =>
        new Promise<undefined>((resolve, reject) => {
          this.openings.set(sessionId, { resolve: () => resolve(undefined), reject });
        }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tickets.release();
    await this.server[Symbol.asyncDispose]();
  }
}

let sessions = 0;

/** The only viewer of a new session. */
class Stage {
  readonly sessionId = `s-${++sessions}`;
  socket!: WebSocket;
  closeCode: number | undefined;
  #isEnded = false;
  #other: WebSocket | undefined;

  constructor(private readonly desk: Desk) {}

  /** @param isCrowded another viewer has the only slot */
  async start(isCrowded: boolean): Promise<void> {
    const { client, agent } = this.desk;
    await client.send('POST', '/api/v1/sessions', { template: 'desk', id: this.sessionId });
    await until(() => agent.commands.some(({ sessionId }) => sessionId === this.sessionId));
    if (isCrowded) {
      this.#other = await this.#dial();
      this.desk.tickets.release();
      await until(() => this.desk.server.controlPlane.counters().viewers.waiting === 1);
    }
    this.socket = await this.#dial();
    this.socket.on('close', (code: number) => (this.closeCode = code));
  }

  async #dial(): Promise<WebSocket> {
    const { client, server, tickets } = this.desk;
    const { body } = await client.send('POST', `/api/v1/sessions/${this.sessionId}/tickets`, {
      mode: 'control',
    });
    const url = `${server.wsUrl}/api/v1/vnc/${this.sessionId}?ticket=${String(body['ticket'])}`;
    const socket = new WebSocket(url, { autoPong: false });
    socket.on('error', () => undefined);
    await until(() => socket.readyState === WebSocket.OPEN && tickets.isHeld);
    return socket;
  }

  get #start(): string {
    return (
      this.desk.agent.commands.findLast(({ sessionId }) => sessionId === this.sessionId)?.commandId ?? ''
    );
  }

  async #isPending(): Promise<boolean> {
    const { body } = await this.desk.client.send('GET', `/api/v1/sessions/${this.sessionId}`);
    return body['state'] === 'pending';
  }

  #status(state: 'failed' | 'hibernated'): void {
    this.desk.agent.say({ type: 'status', payload: { sessionId: this.sessionId, generation: 1, state } });
  }

  #answer(answer: (opening: Opening) => void): void {
    const opening = this.desk.openings.get(this.sessionId);
    this.desk.openings.delete(this.sessionId);
    if (opening) answer(opening);
  }

  readonly #fires: Record<ViewerEvent, (state: ViewerState) => unknown> = {
    ticket_taken: () => this.desk.tickets.release(),
    ticket_refused: async () => {
      await clearTickets();
      this.desk.tickets.release();
    },
    slots_taken: () => this.desk.tickets.release(),
    session_running: async () => {
      if (await this.#isPending())
        this.desk.agent.say({ type: 'complete', payload: { commandId: this.#start } });
    },
    session_failed: async () => {
      if (await this.#isPending())
        this.desk.agent.say({ type: 'failed', payload: { commandId: this.#start, error: 'no' } });
      else this.#status('failed');
    },
    session_hibernated: () => this.#status('hibernated'),
    session_stopped: () => this.desk.client.send('POST', `/api/v1/sessions/${this.sessionId}/stop`),
    desktop_opened: () => this.#answer((opening) => opening.resolve()),
    desktop_missing: () =>
      this.#answer((opening) => opening.reject(new TunnelError('session_not_found', 'none'))),
    desktop_refused: () => this.#answer((opening) => opening.reject(new TunnelError('refused', 'no'))),
    desktop_ended: async () => {
      const desktop = this.desk.agent.desktops.get(this.sessionId);
      this.#isEnded ||= desktop !== undefined;
      await desktop?.end();
    },
    desktop_violated: () => this.desk.agent.cut(this.sessionId, new TunnelError('protocol_error', 'odd')),
    agent_lost: async () => {
      const before = this.desk.agent;
      this.desk.openings.delete(this.sessionId);
      await before[Symbol.asyncDispose]();
      await this.desk.connectAgent();
      // It has its sessions still.
      this.desk.agent.commands.push(...before.commands);
    },
    time_over: () => undefined,
    idle: () => turn(2 * IDLE_MS),
    text: () => this.socket.send('text'),
    oversized: () => this.socket.send(Buffer.alloc(LARGEST_MESSAGE + 1)),
    silent: () => vi.advanceTimersByTime(SILENT_MS),
    viewer_left: () => this.socket.close(1000),
    viewer_lost: () => this.socket.terminate(),
    plane_closed: () => void this.desk.server.controlPlane[Symbol.asyncDispose](),
  };

  async fire(event: ViewerEvent, state: ViewerState): Promise<void> {
    // On a socket that is down nothing can be sent.
    const isViewers = event === 'text' || event === 'oversized';
    if (isViewers && this.socket.readyState !== WebSocket.OPEN) return;
    await this.#fires[event](state);
  }

  get state(): ViewerState {
    if (this.socket.readyState === WebSocket.CLOSED) return 'closed';
    if (this.desk.tickets.isHeld) return 'admitting';
    if (this.events.includes('viewer_connected')) return this.#isEnded ? 'explaining' : 'joined';
    return this.desk.openings.has(this.sessionId) ? 'opening' : 'waiting';
  }

  /** What operators were told of this session's viewer. */
  get events(): string[] {
    return this.desk.server.events.flatMap((event) =>
      event.type.startsWith('viewer_') && 'sessionId' in event && event.sessionId === this.sessionId
        ? event.type
        : [],
    );
  }

  close(): void {
    this.desk.tickets.release();
    this.#answer((opening) => opening.reject(new TunnelError('refused', 'over')));
    for (const socket of [this.socket, this.#other]) socket?.terminate();
  }
}

const realTimeout = setTimeout;
const turn = (ms: number): Promise<void> => new Promise((resolve) => realTimeout(resolve, ms));

async function until(isTrue: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  while (!isTrue() && performance.now() < end) await turn(2);
  return isTrue();
}

let database: Database;
let desk: Desk | undefined;
const clearTickets = () => database.query('delete from viewer_tickets');

beforeAll(async () => {
  database = await pgliteDatabase({ memory: true });
}, 30_000);
afterEach(() => vi.useRealTimers());
afterAll(async () => {
  await closeDesk();
  await database[Symbol.asyncDispose]();
});

async function closeDesk(): Promise<void> {
  await desk?.[Symbol.asyncDispose]();
  desk = undefined;
}

/** Time for what cannot be seen to come: a message through a socket, and a statement or two. */
const SETTLE_MS = 25;

function observe(stage: Stage, before: number, isClosedByViewer: boolean): string {
  const { state, closeCode } = stage;
  const code =
    state === 'closed' && !isClosedByViewer ? CODES.find(([, value]) => value === closeCode) : undefined;
  const close = code && code[0] !== 'noCloseFrame' ? [code[0]] : [];
  const told = stage.events.slice(before).map((type) => type.replace('viewer_', ''));
  return [state, ...close, ...told].join(' ');
}

async function drive(state: ViewerState, event: ViewerEvent): Promise<string[]> {
  desk ??= await new Desk(database, event === 'idle' ? IDLE_MS : 0).start();
  const stage = new Stage(desk);
  if (event === 'silent') vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await stage.start(event === 'slots_taken' && state === 'admitting');
  let at: ViewerState = 'admitting';
  for (const step of PATHS[state]) {
    await until(() => stage.state === at);
    await stage.fire(step, at);
    at = VIEWER_MACHINE.table[at][step].to;
  }
  if (!(await until(() => stage.state === state))) return [`not brought to ${state}: ${stage.state}`];
  const before = stage.events.length;
  await stage.fire(event, state);
  await turn(SETTLE_MS);
  const { to, close, does = [] }: ViewerOutcome = VIEWER_MACHINE.table[state][event];
  const expected = [to, ...(close ? [close] : []), ...does].join(' ');
  const isClosedByViewer = event === 'viewer_left' || event === 'viewer_lost' || state === 'closed';
  // A viewer that has ended while its ticket was looked up is told of when that is over.
  if (to === 'closed') desk.tickets.release();
  await until(() => observe(stage, before, isClosedByViewer) === expected);
  const seen = observe(stage, before, isClosedByViewer);
  stage.close();
  if (event === 'silent') vi.useRealTimers();
  if (event === 'plane_closed') await closeDesk();
  return seen === expected ? [] : [`${event} on one that is ${state}: ${seen}, expected ${expected}`];
}

it.each(STATES)(
  'a viewer that is %s does what the table of viewer-machine.ts says',
  { timeout: 60_000 },
  async (state) => {
    const deviations: string[] = [];
    for (const event of EVENTS) if (event !== 'idle') deviations.push(...(await drive(state, event)));
    expect(deviations.join('\n')).toBe('');
  },
);

it(
  'a viewer that sends nothing for the idle time does what the table says, in each state',
  { timeout: 60_000 },
  async () => {
    // Of a control plane with a short idle time.
    await closeDesk();
    const deviations: string[] = [];
    for (const state of STATES) deviations.push(...(await drive(state, 'idle')));
    expect(deviations.join('\n')).toBe('');
  },
);
