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
import type { CommandRunner } from './command-runner.js';
import { AgentError, PlatformError } from './errors.js';
import type { ResolvedAgentOptions } from './options.js';
import type { PlatformSession } from './platform.js';

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
  readonly runner: CommandRunner;
  /** The control plane has accepted this agent on this connection. */
  readonly onWelcome: (welcome: ControlPayloads['welcome']) => void;
}

/**
 * One connection to the control plane.
 *
 * dialling → greeting (hello sent) → active (welcome received) → ended
 */
export class Connection {
  #status: 'dialling' | 'greeting' | 'active' | 'ended' = 'dialling';
  #draining = false;
  #commandsReceived = 0;
  /** As of the last inventory. */
  #activeSessions = 0;
  /** Commands whose result went with hello. */
  #reportedByHello: ReadonlySet<string> = new Set();
  #heardAt = performance.now();
  /** The upgrade was answered with 401 or 403: registering again tells whether the key is of use. */
  #unauthorized = false;
  #endReason = 'the control plane closed the connection';
  #tunnel: Tunnel | undefined;
  #unwatch: (() => void) | undefined;
  readonly #timers = new Set<ReturnType<typeof setInterval>>();
  readonly #socket: WebSocket;
  readonly #context: ConnectionContext;
  readonly #ending = new AbortController();
  /** Settles when the socket is down, with why; never rejects. */
  readonly ended: Promise<{ reason: string; unauthorized: boolean }>;

  constructor(context: ConnectionContext) {
    this.#context = context;
    const { options, url } = context;
    this.#socket = new WebSocket(url, SUBPROTOCOL_V2, {
      ...clientOptions(url),
      headers: { 'x-agent-api-key': options.apiKey },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.ended = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => {
        if (reason.length > 0) this.#endReason = `${reason.toString()} (${code})`;
        this.#end();
        resolve({ reason: this.#endReason, unauthorized: this.#unauthorized });
      });
    });
    this.#socket.on('error', (error) => (this.#endReason = error.message));
    this.#socket.on('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      this.#endReason = `the control plane answered ${status} to the WebSocket upgrade`;
      this.#unauthorized = status === 401 || status === 403;
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

  /** Sends once the control plane has said welcome; before and after, nothing happens (results are kept elsewhere). */
  send(message: AgentMessage): void {
    if (this.#status === 'active') this.#write(message);
  }

  /** From now on heartbeats say that no new session is wanted. */
  drain(): void {
    this.#draining = true;
    this.#heartbeat();
  }

  /** Closes the socket; resolves when it is down. Idempotent. */
  async close(code: number, reason: string): Promise<void> {
    this.#endReason = reason;
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
    else this.#socket.close(code, closeReason(reason));
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #write(message: AgentMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  #greet(): void {
    const { options, runner, instanceId, fencingToken } = this.#context;
    const known = runner.snapshot();
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
    this.#every(WELCOME_TIMEOUT_MS, () => {
      if (this.#status === 'greeting')
        void this.close(CLOSE.timeout, 'the control plane did not answer hello');
    });
  }

  #receive(source: string): void {
    let message: ControlMessage;
    try {
      message = decodeControlMessage(source);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.code === 'unknown_message') return;
      this.#write({ type: 'error', payload: { code: error.code, message: error.message } });
      return;
    }
    const { runner, options } = this.#context;
    switch (message.type) {
      case 'welcome':
        if (this.#status === 'greeting') this.#activate(message.payload);
        return;
      case 'refused':
        this.#endReason = `refused: ${message.payload.message}`;
        // A standby that lost a race, or a control plane in the middle of an upgrade: both pass.
        return;
      case 'command':
        if (this.#status !== 'active') return;
        this.#commandsReceived += 1;
        runner.receive(message.payload);
        return;
      case 'cancel':
        runner.cancel(message.payload.commandId, message.payload.reason ?? 'cancelled by the control plane');
        return;
      case 'result_ack':
        runner.reported(message.payload.commandId);
        return;
      case 'ping':
        this.#write({ type: 'pong', payload: {} });
        return;
      case 'drain':
      case 'shutdown':
        void this.close(
          CLOSE.normal,
          `the control plane asked for it: ${message.payload.reason ?? message.type}`,
        );
        return;
      case 'error':
        options.onError(
          new AgentError(
            'refused',
            `the control plane could not read a message: ${message.payload.message}`,
            false,
          ),
          'sending a message',
        );
    }
  }

  #activate(welcome: ControlPayloads['welcome']): void {
    const { options, runner } = this.#context;
    this.#status = 'active';
    this.#tunnel = createTunnel({
      link: webSocketLink(this.#socket),
      onError: options.onError,
      onOpen: (request, signal) => {
        if (request.policy.role !== 'control')
          throw new PlatformError('refused', 'this agent cannot enforce view-only streams yet');
        return options.platform.openStream(request.sessionId, request.port, signal);
      },
    });
    this.#context.onWelcome(welcome);
    // What was finished between hello and welcome.
    runner.resend(this.#reportedByHello);
    const jitter = 0.9 + Math.random() * 0.2;
    this.#every(welcome.heartbeatIntervalMs * jitter, () => {
      if (performance.now() - this.#heardAt > SILENT_HEARTBEATS * welcome.heartbeatIntervalMs) {
        this.#endReason = 'nothing was heard of the control plane';
        this.#socket.terminate();
        return;
      }
      this.#socket.ping();
      this.#heartbeat();
      runner.resend();
    });
    this.#every(welcome.inventoryIntervalMs * jitter, () => void this.#inventory());
    this.#unwatch = options.platform.watch?.((session) => this.#changed(session));
    this.#heartbeat();
    void this.#inventory();
  }

  #heartbeat(): void {
    this.send({
      type: 'heartbeat',
      payload: {
        status: this.#draining ? 'draining' : 'online',
        activeSessions: this.#activeSessions,
        capacity: this.#context.options.capacity,
      },
    });
  }

  async #inventory(): Promise<void> {
    const { options } = this.#context;
    // Taken first: what commands change while the platform is listing must not be judged by an older list.
    const position = this.#commandsReceived;
    try {
      const sessions = await options.platform.list(this.#ending.signal);
      this.#activeSessions = sessions.filter(
        ({ state }) => state === 'running' || state === 'starting',
      ).length;
      this.send({
        type: 'inventory',
        payload: {
          position,
          sessions: sessions.map(({ sessionId, generation, commandId, state }) => ({
            sessionId,
            generation,
            commandId,
            state,
          })),
        },
      });
    } catch (error) {
      if (this.#status === 'active') options.onError(error, 'listing the sessions of the platform');
    }
  }

  #changed({ sessionId, generation, state, details }: PlatformSession): void {
    const reason = details?.['reason'];
    this.send({
      type: 'status',
      payload: { sessionId, generation, state, ...(typeof reason === 'string' && { reason }) },
    });
  }

  #every(ms: number, action: () => void): void {
    this.#timers.add(setInterval(action, Math.min(Math.max(1, ms), 2 ** 31 - 1)));
  }

  #end(): void {
    this.#status = 'ended';
    for (const timer of this.#timers) clearInterval(timer);
    this.#unwatch?.();
    const reason = new AgentError('link_lost', this.#endReason, true);
    this.#tunnel?.abort(reason);
    this.#ending.abort(reason);
  }
}
