import {
  CLOSE,
  closeReason,
  decodeControlMessage,
  encodeMessage,
  ProtocolError,
  PROTOCOL_VERSIONS,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type ControlMessage,
  type ControlPayloads,
} from '@streamspace/protocol';
import { createTunnel, type Tunnel } from '@streamspace/vnc-tunnel';
import { clientOptions, webSocketLink } from '@streamspace/vnc-tunnel/node';
import { WebSocket } from 'ws';
import { AgentError } from './errors.js';
import { spread, startHeartbeat } from './heartbeat.js';
import type { AgentCounters } from './metrics.js';
import type { ResolvedAgentOptions } from './options.js';
import { redirected, redirectTarget } from './redirects.js';
import { retryAfterMs } from './retry-after.js';
import type { Work } from './work.js';

/** How long the WebSocket handshake may take, in ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long the control plane may take to answer hello, in ms. */
const WELCOME_TIMEOUT_MS = 15_000;
/** How long the far end may take to answer a close, in ms, before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 1_000;
/** A connection on which nothing arrived for this many heartbeats is given up. */
const SILENT_HEARTBEATS = 3;

export interface ConnectionContext {
  readonly url: string;
  readonly instanceId: string;
  readonly fencingToken: number | undefined;
  readonly options: ResolvedAgentOptions;
  readonly work: Work;
  readonly counters: AgentCounters;
  /** The agent is stopping: heartbeats say that no new session is wanted. */
  readonly isStopping: () => boolean;
  /** The control plane has accepted this agent on this connection: it is the current one from now on. */
  readonly onWelcome: (connection: Connection, welcome: ControlPayloads['welcome']) => void;
}

/** Why a connection ended, and what follows from it. */
export interface ConnectionEnd {
  readonly reason: string;
  /** The upgrade was answered with 401 or 403: registering again tells whether the key is of use. */
  readonly unauthorized: boolean;
  /** Another instance of this agent has taken over, or holds the place. */
  readonly superseded: boolean;
  /** The control plane asked to wait for so long, in ms. */
  readonly retryAfterMs?: number;
}

/**
 * One connection to the control plane.
 *
 * dialling → greeting (hello sent) → active (welcome received) → ended
 */
export class Connection {
  #status: 'dialling' | 'greeting' | 'active' | 'ended' = 'dialling';
  #commandsReceived = 0;
  /** Commands whose result went with hello. */
  #reportedByHello: ReadonlySet<string> = new Set();
  #heardAt = performance.now();
  #unauthorized = false;
  #superseded = false;
  #retryAfterMs: number | undefined;
  #endReason = 'the control plane closed the connection';
  #tunnel: Tunnel | undefined;
  #stopHeartbeat: (() => void) | undefined;
  #isFirstHeartbeat = true;
  #welcomeTimer: ReturnType<typeof setTimeout> | undefined;
  #inventoryTimer: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;
  #tellWelcomed!: () => void;
  #tellMove!: (reason: string) => void;
  readonly #socket: WebSocket;
  readonly #context: ConnectionContext;
  /** Settles when the socket is down; never rejects. */
  readonly ended: Promise<ConnectionEnd>;
  /** Settles once the control plane has said welcome, if ever. */
  readonly welcomed = new Promise<void>((resolve) => (this.#tellWelcomed = resolve));
  /** Settles when the control plane asks to move to another of its replicas, with why. */
  readonly moveAsked = new Promise<string>((resolve) => (this.#tellMove = resolve));

  constructor(context: ConnectionContext) {
    this.#context = context;
    const { options, url } = context;
    this.#socket = new WebSocket(url, SUBPROTOCOL_V2, {
      ...clientOptions(url),
      // The key goes to the address that was configured and to no other.
      followRedirects: false,
      headers: { 'x-agent-api-key': options.apiKey },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.ended = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => {
        if (reason.length > 0) this.#endReason = `${reason.toString()} (${code})`;
        this.#superseded ||= code === CLOSE.superseded;
        this.#end();
        resolve({
          reason: this.#endReason,
          unauthorized: this.#unauthorized,
          superseded: this.#superseded,
          ...(this.#retryAfterMs !== undefined && { retryAfterMs: this.#retryAfterMs }),
        });
      });
    });
    let isAnswered = false;
    this.#socket.on('error', (error) => {
      // What `terminate` reports after an answer says less than the answer.
      if (!isAnswered) this.#endReason = error.message;
    });
    this.#socket.on('unexpected-response', (request, response) => {
      isAnswered = true;
      const status = response.statusCode ?? 0;
      const target = redirectTarget(url, status, response.headers.location);
      this.#endReason =
        target === undefined
          ? `the control plane answered ${status} to the WebSocket upgrade`
          : redirected('WebSocket upgrade', status, target);
      this.#unauthorized = status === 401 || status === 403;
      this.#retryAfterMs = retryAfterMs(response.headers['retry-after']);
      response.resume();
      request.destroy();
      this.#socket.terminate();
    });
    this.#socket.on('open', () => this.#greet());
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#heardAt = performance.now();
      if (!isBinary) this.#receive(data.toString('utf8'));
    });
    this.#socket.on('pong', () => (this.#heardAt = performance.now()));
  }

  get status(): 'dialling' | 'greeting' | 'active' | 'ended' {
    return this.#status;
  }

  /** How long nothing was heard of the control plane, in ms. */
  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  /** Bytes of streams on this connection so far. */
  get streamBytes(): { sent: number; received: number } {
    const stats = this.#tunnel?.stats();
    return { sent: stats?.bytesSent ?? 0, received: stats?.bytesReceived ?? 0 };
  }

  /** Sends once the control plane has said welcome. Returns whether it did; results and reports are kept elsewhere. */
  send(message: AgentMessage): boolean {
    return this.#status === 'active' && this.#write(message);
  }

  /** Says now what heartbeats say, for example that the agent is stopping. */
  heartbeat(): void {
    const { options, work, counters, isStopping } = this.#context;
    const { capacity } = options;
    const { activeSessions } = work;
    const status = isStopping() ? 'draining' : 'online';
    if (!this.send({ type: 'heartbeat', payload: { status, activeSessions, capacity } })) return;
    counters.heartbeats += 1;
    options.onEvent({ type: 'heartbeat', activeSessions, capacity, isFirst: this.#isFirstHeartbeat });
    this.#isFirstHeartbeat = false;
  }

  /** Lists the platform's sessions and tells the control plane. Never rejects. */
  async inventory(): Promise<void> {
    const { options, work, counters } = this.#context;
    // Taken first: what commands change while the platform is listing must not be judged by an older list.
    const position = this.#commandsReceived;
    try {
      const sessions = await work.survey();
      if (this.send({ type: 'inventory', payload: { position, sessions } })) counters.inventories += 1;
    } catch (error) {
      if (this.#status === 'active') options.onError(error, 'listing the sessions of the platform');
    }
  }

  /** Closes the socket; resolves when it is down. Idempotent: the first reason counts. */
  close(code: number, reason: string): Promise<void> {
    this.#closing ??= this.#close(code, reason);
    return this.#closing;
  }

  async #close(code: number, reason: string): Promise<void> {
    this.#endReason = reason;
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
    else this.#socket.close(code, closeReason(reason));
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #write(message: AgentMessage): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(encodeMessage(message));
    return true;
  }

  #greet(): void {
    const { options, work, instanceId, fencingToken } = this.#context;
    const known = work.runner.snapshot();
    this.#reportedByHello = new Set(
      [...known.finished.completed, ...known.finished.failed].map(({ commandId }) => commandId),
    );
    this.#status = 'greeting';
    this.#write({
      type: 'hello',
      payload: {
        versions: [...PROTOCOL_VERSIONS],
        instanceId,
        platform: options.platform.name,
        capacity: options.capacity,
        ...(fencingToken !== undefined && { fencingToken }),
        ...(options.region !== undefined && { region: options.region }),
        ...known,
      },
    });
    this.#welcomeTimer = setTimeout(
      () => void this.close(CLOSE.timeout, 'the control plane did not answer hello'),
      WELCOME_TIMEOUT_MS,
    );
  }

  #receive(source: string): void {
    const { work, options, counters } = this.#context;
    let message: ControlMessage;
    try {
      message = decodeControlMessage(source);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.code === 'unknown_message') return;
      counters.unreadableMessages += 1;
      this.#write({ type: 'error', payload: { code: error.code, message: error.message } });
      return;
    }
    switch (message.type) {
      case 'welcome':
        if (this.#status === 'greeting') this.#activate(message.payload);
        return;
      case 'refused':
        this.#endReason = `refused: ${message.payload.message}`;
        // A standby that lost a race, or a control plane in the middle of an upgrade: both pass.
        this.#superseded = message.payload.code === 'duplicate_instance';
        return;
      case 'command':
        if (this.#status !== 'active') return;
        this.#commandsReceived += 1;
        counters.commandsReceived += 1;
        work.runner.receive(message.payload);
        return;
      case 'cancel':
        work.runner.cancel(
          message.payload.commandId,
          message.payload.reason ?? 'cancelled by the control plane',
        );
        return;
      case 'result_ack':
        work.runner.reported(message.payload.commandId);
        return;
      case 'ping':
        this.#write({ type: 'pong', payload: {} });
        return;
      case 'drain':
        this.#tellMove(message.payload.reason ?? 'no reason given');
        return;
      case 'shutdown':
        void this.close(
          CLOSE.normal,
          `the control plane ended the connection: ${message.payload.reason ?? 'no reason given'}`,
        );
        return;
      case 'error': {
        const problem = `the control plane could not read a message: ${message.payload.message}`;
        options.onError(new AgentError('refused', problem, false), 'sending a message');
      }
    }
  }

  #activate(welcome: ControlPayloads['welcome']): void {
    const { options, work, counters } = this.#context;
    const { heartbeatIntervalMs, inventoryIntervalMs } = welcome;
    clearTimeout(this.#welcomeTimer);
    this.#status = 'active';
    counters.connections += 1;
    this.#tunnel = createTunnel({
      link: webSocketLink(this.#socket),
      onError: options.onError,
      onOpen: (request, signal) => work.openStream(request, signal),
    });
    this.#context.onWelcome(this, welcome);
    // What was finished between hello and welcome, and what happened while there was no connection.
    work.runner.resend(this.#reportedByHello);
    work.reports.flush();
    this.heartbeat();
    this.#stopHeartbeat = startHeartbeat({
      intervalMs: Math.min(heartbeatIntervalMs, LONGEST_TIMER_MS),
      beat: () => this.#beat(heartbeatIntervalMs),
      onLate: (lateMs) => options.onEvent({ type: 'heartbeat_late', lateMs }),
      onMeasured: (lateMs) => (counters.heartbeatLateMs = Math.max(counters.heartbeatLateMs, lateMs)),
    });
    this.#inventoryTimer = setInterval(
      () => void this.inventory(),
      Math.min(Math.max(1, inventoryIntervalMs * spread()), LONGEST_TIMER_MS),
    );
    void this.inventory();
    this.#tellWelcomed();
  }

  #beat(intervalMs: number): void {
    const isSilent = (): boolean => this.silentMs > SILENT_HEARTBEATS * intervalMs;
    if (!isSilent()) return this.#speak();
    // Where this process itself stood still, what came meanwhile is read before the loop comes to this.
    setImmediate(() => {
      if (this.#status !== 'active') return;
      if (!isSilent()) return this.#speak();
      this.#endReason = 'nothing was heard of the control plane';
      this.#socket.terminate();
    });
  }

  #speak(): void {
    this.#socket.ping();
    this.heartbeat();
    this.#context.work.runner.resend();
  }

  #end(): void {
    const { counters } = this.#context;
    if (this.#status === 'active') counters.disconnections += 1;
    this.#status = 'ended';
    clearTimeout(this.#welcomeTimer);
    clearInterval(this.#inventoryTimer);
    this.#stopHeartbeat?.();
    const { sent, received } = this.streamBytes;
    counters.bytesToViewers += sent;
    counters.bytesFromViewers += received;
    this.#tunnel = undefined;
  }
}

/** Longest time that a timer can wait for, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
