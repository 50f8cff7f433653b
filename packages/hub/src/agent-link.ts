import { randomUUID } from 'node:crypto';
import {
  CLOSE,
  closeReason,
  cutText,
  decodeAgentMessage,
  encodeMessage,
  LIMITS,
  ProtocolError,
  PROTOCOL_VERSIONS,
  type AgentMessage,
  type AgentPayloads,
  type Capacity,
  type ControlMessage,
} from '@streamspace/protocol';
import { createTunnel, type ByteChannel, type Tunnel, type TunnelStats } from '@streamspace/vnc-tunnel';
import { webSocketLink } from '@streamspace/vnc-tunnel/node';
import type { WebSocket } from 'ws';
import { Dispatcher } from './dispatcher.js';
import type { OpenStreamRequest } from './hub.js';
import { toHubError } from './errors.js';
import { Inbox } from './inbox.js';
import type { LinkOwner } from './link-owner.js';
import { STALE_FRAMES, type StaleFrame } from './counters.js';
import type { AgentReport, Outcome } from './ports.js';
import { Reports } from './reports.js';
import { SentLog } from './sent-log.js';

/** Malformed messages that a connection may send before it is closed. */
const MALFORMED_BUDGET = 5;
/** How long an agent may take to say hello, in ms. */
const HELLO_TIMEOUT_MS = 10_000;
/** How long the far end may take to answer a close, in ms, before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Why a connection is closed whose agent has a newer one. */
export const SUPERSEDED = 'a newer connection of this agent took over';
/**
 * One connection of one agent.
 *
 * greeting --hello, claim--> active --close, error or silence--> ended
 *     \--refused, timeout or malformed--------------------------> ended
 *
 * Control messages are handled one after the other, but for what is said of commands, which is written side by side;
 * stream frames go to the tunnel at once. What comes on a connection that was replaced is counted and dropped.
 */
export class AgentLink {
  readonly connectionId = randomUUID();
  readonly connectedAt = Date.now();
  readonly agentId: string;
  #status: 'greeting' | 'active' | 'ended' = 'greeting';
  #epoch = 0;
  #lastHeard = performance.now();
  #report: AgentReport = { status: 'online', activeSessions: 0 };
  #reportedAt = performance.now();
  /** As the agent said it on this connection, and the store has heard it. */
  #capacity: Capacity = { maxSessions: 0 };
  #malformed = 0;
  readonly #inbox = new Inbox({
    read: (source) => this.#read(source),
    handle: (message) => this.#try(message),
    onOverflow: (detail) => void this.close(CLOSE.limitReached, detail),
  });
  readonly #gone = new AbortController();
  /** While it carries streams; it ends with the connection by itself. */
  #tunnel: Tunnel | undefined;
  #dispatcher: Dispatcher | undefined;
  #reports: Reports | undefined;
  #endReason = 'the agent closed the connection';
  readonly #sent = new SentLog();
  readonly #socket: WebSocket;
  readonly #owner: LinkOwner;
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  readonly ended: Promise<void>;

  constructor(agentId: string, socket: WebSocket, owner: LinkOwner) {
    this.agentId = agentId;
    this.#socket = socket;
    this.#owner = owner;
    this.#helloTimer = setTimeout(
      () => void this.close(CLOSE.timeout, `no hello within ${HELLO_TIMEOUT_MS} ms`),
      HELLO_TIMEOUT_MS,
    );
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#lastHeard = performance.now();
      if (!isBinary) this.#inbox.push(data.toString('utf8'));
    });
    socket.on('ping', () => (this.#lastHeard = performance.now()));
    socket.on('error', (error) => (this.#endReason = error.message));
    this.ended = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        if (reason.length > 0) this.#endReason = `${reason.toString()} (${code})`;
        void this.#end().then(resolve);
      });
    });
  }

  get epoch(): number {
    return this.#epoch;
  }

  get streams(): number {
    return this.#tunnel?.streams ?? 0;
  }

  /** What streams of this connection have done; none once it is down. */
  get streamStats(): TunnelStats | undefined {
    return this.#tunnel?.stats();
  }

  /** How long nothing was heard of the agent, in ms. */
  silentMs(): number {
    return performance.now() - this.#lastHeard;
  }

  /** Reports the agent as alive when it was heard of and did not say so itself for a while. */
  reportLiveness(): void {
    const { options } = this.#owner;
    if (this.#status !== 'active' || this.#lastHeard <= this.#reportedAt) return;
    if (performance.now() - this.#reportedAt < options.heartbeatIntervalMs) return;
    this.#heard(this.#report).catch((error: unknown) =>
      options.onError(error, `reporting agent ${this.agentId} as alive`),
    );
  }

  /** @param capacity where it is another than before */
  #heard(report: AgentReport, capacity?: Capacity): Promise<void> {
    this.#report = report;
    this.#reportedAt = performance.now();
    const { ownership } = this.#owner.options;
    return ownership.heard(this.agentId, this.#epoch, capacity ? { ...report, capacity } : report);
  }

  async #beat({ status, activeSessions, capacity }: AgentPayloads['heartbeat']): Promise<void> {
    const changed = capacity && !isSameCapacity(capacity, this.#capacity) ? capacity : undefined;
    await this.#heard({ status, activeSessions }, changed);
    // Not before: what the store did not take is to be said again by the next heartbeat.
    if (changed) this.#capacity = changed;
  }

  /** @param onFlushed called when the message has left this process, and not at all when it cannot */
  send(message: ControlMessage, onFlushed?: () => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(encodeMessage(message), (error) => {
      if (!error) onFlushed?.();
    });
  }

  /** The socket is up, and the agent was welcomed on it. */
  get isActive(): boolean {
    return this.#status === 'active';
  }

  /** There is reason to pump, although the queue names none. */
  get unsure(): boolean {
    return this.#dispatcher?.unsure ?? false;
  }

  /** Asks the queue for commands. A hint; `expected` as in {@link Dispatcher.pump}. */
  pump(expected = false): void {
    void this.#dispatcher?.pump(expected);
  }

  /** The queue gave the command up: the agent is to stop at it, and its place in the window is free. */
  expired(commandId: string): void {
    if (!this.#dispatcher?.done(commandId)) return;
    this.send({ type: 'cancel', payload: { commandId, reason: 'the deadline passed' } });
    this.pump();
  }

  async openStream(request: OpenStreamRequest): Promise<ByteChannel> {
    const { options } = this.#owner;
    if (!this.#tunnel) throw toHubError({ code: 'link_lost' }, this.agentId);
    try {
      return await this.#tunnel.open(
        {
          sessionId: request.sessionId,
          port: request.port ?? 'vnc',
          policy: request.policy,
          edge: options.podName,
          attachment: { agentEpoch: this.#epoch, viewerAttach: 0 },
        },
        { timeoutMs: options.openTimeoutMs, ...(request.signal && { signal: request.signal }) },
      );
    } catch (error) {
      request.signal?.throwIfAborted();
      throw toHubError(error, this.agentId);
    }
  }

  /** Closes the socket; resolves when it is down. Idempotent. */
  close(code: number, reason: string): Promise<void> {
    this.#endReason = reason;
    this.#socket.close(code, closeReason(reason));
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    return this.ended.finally(() => clearTimeout(timer));
  }

  /** Drops the socket without a word: the far end is silent anyway. */
  terminate(reason: string): void {
    this.#endReason = reason;
    this.#socket.terminate();
  }

  /** Never throws. */
  #read(source: string): AgentMessage | undefined {
    if (this.#status === 'ended') return undefined;
    try {
      return decodeAgentMessage(source);
    } catch (error) {
      this.#unreadable(error);
      return undefined;
    }
  }

  /** Never rejects. */
  async #try(message: AgentMessage): Promise<void> {
    try {
      if (this.#status !== 'ended') await this.#handle(message);
    } catch (error) {
      // The socket went down under it; the agent says it again on its next one.
      if (this.#gone.signal.aborted && error === this.#gone.signal.reason) return;
      this.#owner.options.onError(error, `handling ${message.type} of agent ${this.agentId}`);
      // Without the claim nothing else can work; the agent connects again.
      if (message.type === 'hello') void this.close(CLOSE.goingAway, 'the control plane cannot answer now');
    }
  }

  #unreadable(error: unknown): void {
    // The connection is being closed for that already.
    if (this.#malformed > MALFORMED_BUDGET) return;
    const code = error instanceof ProtocolError ? error.code : 'malformed_message';
    if (code === 'unknown_message') return;
    const message = error instanceof Error ? error.message : String(error);
    this.send({ type: 'error', payload: { code, message: cutText(message, LIMITS.textChars) } });
    this.#malformed += 1;
    if (this.#malformed > MALFORMED_BUDGET)
      void this.close(CLOSE.protocolError, 'too many malformed messages');
  }

  async #handle(message: AgentMessage): Promise<void> {
    if (this.#status === 'greeting') {
      // It is being closed: what comes after the cause of that claims nothing.
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      if (message.type === 'hello') await this.#hello(message.payload);
      else void this.close(CLOSE.protocolError, `expected hello, not ${message.type}`);
      return;
    }
    const stale = STALE_FRAMES[message.type];
    if (stale !== undefined && !this.#owner.isCurrent(this)) {
      this.#owner.stale(stale);
      return;
    }
    switch (message.type) {
      case 'hello':
        void this.close(CLOSE.protocolError, 'hello may be said once');
        return;
      case 'heartbeat':
        return this.#beat(message.payload);
      case 'ack':
        return this.#acknowledged(message.payload.commandId);
      case 'complete': {
        const { commandId, result } = message.payload;
        return this.#finish(commandId, result ? { state: 'completed', result } : { state: 'completed' });
      }
      case 'failed': {
        const { commandId, error, code } = message.payload;
        return this.#finish(commandId, { state: 'failed', error, ...(code && { code }) });
      }
      case 'inventory':
        return this.#owner.inventory(this, message.payload);
      case 'status':
        return this.#owner.status(this, message.payload);
      case 'session_event':
        return this.#owner.sessionEvent(this, message.payload);
      case 'pong':
      case 'error':
        return;
    }
  }

  async #hello(hello: AgentPayloads['hello']): Promise<void> {
    const { options } = this.#owner;
    // The agent has said hello; how long the claim takes is up to this side, and the store has a limit for it.
    clearTimeout(this.#helloTimer);
    const version = PROTOCOL_VERSIONS.find((candidate) => hello.versions.includes(candidate));
    if (version === undefined) {
      const message = `this control plane speaks version ${PROTOCOL_VERSIONS.join(', ')}`;
      this.send({ type: 'refused', payload: { code: 'version_unsupported', message } });
      void this.close(CLOSE.protocolError, message);
      return;
    }
    const { platform, region, capacity, instanceId, fencingToken } = hello;
    const claim = await options.ownership.claim({
      agentId: this.agentId,
      connectionId: this.connectionId,
      instanceId,
      platform,
      capacity,
      ...(region !== undefined && { region }),
      ...(fencingToken !== undefined && { fencingToken }),
    });
    if (!claim.ok) {
      const { ok: _, ...refusal } = claim;
      this.send({ type: 'refused', payload: refusal });
      void this.close(CLOSE.forbidden, claim.message);
      return;
    }
    if (this.#socket.readyState !== this.#socket.OPEN) {
      await options.ownership.release(this.agentId, this.connectionId, claim.epoch);
      return;
    }
    this.#capacity = capacity;
    this.#epoch = claim.epoch;
    this.#status = 'active';
    await this.#owner.activated(this);
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.send({
      type: 'welcome',
      payload: {
        version,
        epoch: claim.epoch,
        heartbeatIntervalMs: options.heartbeatIntervalMs,
        inventoryIntervalMs: options.inventoryIntervalMs,
      },
    });
    // Not before the welcome: the agent listens for streams from then on.
    const tunnel = createTunnel({
      link: webSocketLink(this.#socket),
      limits: { streams: options.streamsPerAgent },
      creditBudget: this.#owner.options.creditBudget,
      onError: options.onError,
    });
    this.#tunnel = tunnel;
    void tunnel.closed.then(() => {
      this.#tunnel = undefined;
      this.#owner.streamsEnded(tunnel.stats());
    });
    const reports = new Reports({
      agentId: this.agentId,
      epoch: claim.epoch,
      commands: options.commands,
      signal: this.#gone.signal,
      onError: options.onError,
    });
    this.#reports = reports;
    // A command that is finished must not be handed out again, nor one that the agent is at.
    await Promise.all([
      ...hello.finished.completed.map(({ commandId, result }) =>
        this.#finishAlone(commandId, result ? { state: 'completed', result } : { state: 'completed' }),
      ),
      ...hello.finished.failed.map(({ commandId, error, code }) =>
        this.#finishAlone(commandId, { state: 'failed', error, ...(code && { code }) }),
      ),
    ]);
    const resumed = await this.#resume(reports, hello.running);
    if (this.#gone.signal.aborted) return;
    this.#dispatcher = new Dispatcher({
      agentId: this.agentId,
      epoch: claim.epoch,
      resumed,
      commands: options.commands,
      window: options.commandWindow,
      ackTimeoutMs: options.ackTimeoutMs,
      isBehind: () => this.#inbox.isBehind,
      send: (command, onFlushed) => {
        this.#sent.add(command.sessionId);
        if (command.attempts > 1) this.#owner.redelivered();
        const payload = {
          commandId: command.commandId,
          action: command.action,
          sessionId: command.sessionId,
          generation: command.generation,
          timeoutMs: Math.max(1, command.deadline - Date.now()),
          payload: { ...command.payload },
        };
        this.send({ type: 'command', payload }, onFlushed);
      },
      onSilence: (commandId, waitedMs) =>
        void this.close(
          CLOSE.timeout,
          `command ${commandId} was not acknowledged in ${options.ackTimeoutMs} ms (sent ${Math.round(waitedMs)} ms ago)`,
        ),
      onError: options.onError,
    });
    this.pump();
  }

  /** What the agent is at goes on; what has an outcome meanwhile, for example by its deadline, it is to stop at. */
  async #resume(reports: Reports, running: readonly string[]): Promise<readonly string[]> {
    const resumed = await reports.resume(running);
    const open = new Set(resumed);
    for (const commandId of running)
      if (!open.has(commandId))
        this.send({ type: 'cancel', payload: { commandId, reason: 'nobody waits for it any more' } });
    return resumed;
  }

  async #acknowledged(commandId: string): Promise<void> {
    this.#dispatcher?.acknowledged(commandId);
    if ((await this.#reports?.acknowledge(commandId)) === 'stale') this.#superseded('ack');
  }

  /** One of many: what the store does not take of it is no reason to turn the agent away. */
  async #finishAlone(commandId: string, outcome: Outcome): Promise<void> {
    try {
      await this.#finish(commandId, outcome);
    } catch (error) {
      if (this.#gone.signal.aborted) throw error;
      this.#owner.options.onError(error, `storing the outcome of command ${commandId}`);
    }
  }

  async #finish(commandId: string, outcome: Outcome): Promise<void> {
    // An agent that has an outcome has taken the command, whether it has said so before or not.
    this.#dispatcher?.acknowledged(commandId);
    const verdict = await this.#reports?.finish(commandId, outcome);
    if (verdict === undefined) return;
    if (verdict === 'stale') {
      this.#superseded('result');
      return;
    }
    if (verdict === 'late') this.#owner.duplicateResult();
    // Only now may the agent forget it.
    this.send({ type: 'result_ack', payload: { commandId } });
    this.#dispatcher?.done(commandId);
    this.pump();
  }

  /** Another replica has the agent now, and this one had not heard of it. */
  #superseded(frame: StaleFrame): void {
    this.#owner.stale(frame);
    void this.close(CLOSE.superseded, SUPERSEDED);
  }

  /** Sessions that a command was sent for after the first `position` commands of this connection. */
  changedSince(position: number): ReadonlySet<string> {
    return this.#sent.since(position);
  }

  async #end(): Promise<void> {
    clearTimeout(this.#helloTimer);
    const wasActive = this.#status === 'active';
    this.#status = 'ended';
    this.#gone.abort();
    this.#dispatcher?.close();
    await this.#inbox.settled();
    if (wasActive) await this.#owner.ended(this, this.#endReason);
  }
}

const isSameCapacity = (one: Capacity, other: Capacity): boolean =>
  one.maxSessions === other.maxSessions && one.maxCpu === other.maxCpu && one.maxMemory === other.maxMemory;
