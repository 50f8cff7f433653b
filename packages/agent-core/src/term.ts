import { CLOSE } from '@streamspace/protocol';
import { LET_GO_MS } from './command-runner.js';
import { Connection, type ConnectionEnd } from './connection.js';
import type { Leadership } from './election.js';
import { agentEndpoints } from './endpoints.js';
import { AgentError } from './errors.js';
import type { AgentCounters } from './metrics.js';
import type { ResolvedAgentOptions } from './options.js';
import { register } from './register.js';
import { Backoff, pause, settlesWithin } from './wait.js';
import { Work } from './work.js';

/** A connection that lasted this long, in ms, was a good one: pauses no longer depend on what failed before it. */
const GOOD_CONNECTION_MS = 15_000;
/** How long the control plane may take to store the last results, in ms. Past it they stay with the platform's record. */
const FLUSH_TIMEOUT_MS = 3_000;
/** How long it may take to connect to another replica, in ms. Past it the connection is closed first. */
const MOVE_TIMEOUT_MS = 30_000;

export interface TermContext {
  readonly options: ResolvedAgentOptions;
  readonly counters: AgentCounters;
  readonly instanceId: string;
  readonly leadership: Leadership;
  /** The agent is to stop. */
  readonly stop: AbortSignal;
  readonly onStatus: (status: 'registering' | 'connecting' | 'connected' | 'stopping') => void;
}

/** How a term ended. */
export interface TermEnd {
  /** Nothing acts any more; if not, leadership must not be handed over. */
  readonly idle: boolean;
  readonly reason: string;
  /** What no retry can help. */
  readonly failure?: unknown;
}

/**
 * One term of leadership, with a run context of its own: until the agent is to stop, leadership is lost, or another
 * leader of the group has taken the agent's place at the control plane.
 *
 * registering → connecting → connected → (pause → registering or connecting …) → stopping
 */
export class Term {
  readonly work: Work;
  /** The one that the control plane has welcomed last. */
  #current: { readonly connection: Connection; readonly epoch: number } | undefined;
  /** Every one that is not down. */
  readonly #connections = new Set<Connection>();
  /** Also false when the control plane refused the upgrade: registering tells whether the key is of use. */
  #registered = false;
  #stopping = false;
  #endReason = 'the agent is stopping';
  readonly #context: TermContext;
  readonly #backoff: Backoff;
  /** Aborts when the term is over, for whichever reason. */
  readonly #over = new AbortController();
  readonly #ended: Promise<undefined>;
  readonly #endpoints: { register: string; connect: string };
  readonly #onStop = (): void => this.#over.abort();
  readonly #onLost = (): void => {
    this.#endReason = 'leadership is lost';
    // At once, so that no further call of the platform is made.
    this.work.runner.abort(new AgentError('link_lost', 'leadership is lost', true));
    this.#over.abort();
  };

  constructor(context: TermContext) {
    const { options, counters, leadership, stop } = context;
    this.#context = context;
    this.#backoff = new Backoff(options.reconnect);
    this.#endpoints = agentEndpoints(options.controlPlaneUrl, options.agentId);
    this.work = new Work({
      options,
      counters,
      send: (message) => this.#current?.connection.send(message) ?? false,
      onInventoryDue: () => void this.#current?.connection.inventory(),
    });
    this.#ended = new Promise((resolve) => {
      this.#over.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    stop.addEventListener('abort', this.#onStop, { once: true });
    leadership.lost.addEventListener('abort', this.#onLost, { once: true });
    if (leadership.lost.aborted) this.#onLost();
    if (stop.aborted) this.#onStop();
  }

  /** Of the current connection, while there is one. */
  get link(): { epoch: number; silentMs: number; streamBytes: Connection['streamBytes'] } | undefined {
    if (this.#current?.connection.status !== 'active') return undefined;
    const { connection, epoch } = this.#current;
    return { epoch, silentMs: connection.silentMs, streamBytes: connection.streamBytes };
  }

  async run(): Promise<TermEnd> {
    const { options, leadership } = this.#context;
    try {
      while (!this.#isOver) {
        const end = await this.#connectOnce();
        if (this.#isOver) break;
        if (end.superseded && leadership.fencingToken !== undefined) {
          // Another member of the group has been elected, and this one has not noticed yet.
          this.#endReason = end.reason;
          break;
        }
        const retryInMs = this.#pauseAfter(end);
        options.onEvent({ type: 'disconnected', reason: end.reason, retryInMs });
        await pause(retryInMs, this.#over.signal);
      }
    } catch (failure) {
      return { idle: await this.#finish(), reason: this.#endReason, failure };
    }
    return { idle: await this.#finish(), reason: this.#endReason };
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #pauseAfter({ superseded, retryAfterMs }: ConnectionEnd): number {
    const pauseMs = this.#backoff.next();
    if (superseded) return this.#context.options.reconnect.superseded + pauseMs;
    // Whoever was told the same does not come back in the same moment.
    return retryAfterMs === undefined ? pauseMs : Math.round(retryAfterMs * (1 + Math.random() / 2));
  }

  /** Resolves with why the connection ended or could not be had, or when the term is over. */
  async #connectOnce(): Promise<ConnectionEnd> {
    const { options, onStatus } = this.#context;
    try {
      if (!this.#registered) {
        onStatus('registering');
        options.onEvent({ type: 'registering', agentId: options.agentId });
        await register(this.#endpoints.register, options, this.#over.signal);
        this.#registered = true;
        options.onEvent({ type: 'registered', agentId: options.agentId });
      }
    } catch (error) {
      if (this.#isOver) return plainEnd('the agent is stopping');
      if (!(error instanceof AgentError) || !error.shouldRetry) throw error;
      const { message, retryAfterMs } = error;
      return { ...plainEnd(message), ...(retryAfterMs !== undefined && { retryAfterMs }) };
    }
    onStatus('connecting');
    const startedAt = performance.now();
    const end = await this.#stay(this.#dial());
    if (end.unauthorized) this.#registered = false;
    if (performance.now() - startedAt > GOOD_CONNECTION_MS) this.#backoff.afterGood();
    if (!this.#isOver) onStatus('connecting');
    return end;
  }

  /** Until the connection, or one that it was moved to, has ended. */
  async #stay(connection: Connection): Promise<ConnectionEnd> {
    const event = await Promise.race([connection.ended, connection.moveAsked, this.#ended]);
    if (event === undefined) return plainEnd('the agent is stopping');
    if (typeof event !== 'string') return event;
    this.#context.options.onEvent({ type: 'moving', reason: event });
    const next = await this.#move(connection);
    if (next) return this.#stay(next);
    await connection.close(CLOSE.normal, `the control plane asked to move: ${event}`);
    return plainEnd(`the control plane asked to move: ${event}`);
  }

  /** Connects anew, then closes: commands and results have a connection all the time. */
  async #move(from: Connection): Promise<Connection | undefined> {
    const until = performance.now() + MOVE_TIMEOUT_MS;
    while (!this.#isOver && from.status === 'active' && performance.now() < until) {
      const next = this.#dial();
      await Promise.race([next.welcomed, next.ended, this.#ended]);
      if (next.status === 'active') {
        await from.close(CLOSE.normal, 'moved to another replica');
        return next;
      }
      if (this.#isOver) return undefined;
      await pause(this.#backoff.next(), this.#over.signal);
    }
    return undefined;
  }

  #dial(): Connection {
    const { options, counters, instanceId, leadership, onStatus } = this.#context;
    const connection = new Connection({
      url: this.#endpoints.connect,
      instanceId,
      fencingToken: leadership.fencingToken,
      options,
      counters,
      work: this.work,
      isStopping: () => this.#stopping,
      onWelcome: (welcomed, { epoch, heartbeatIntervalMs }) => {
        this.#current = { connection: welcomed, epoch };
        onStatus('connected');
        options.onEvent({ type: 'connected', agentId: options.agentId, epoch, heartbeatIntervalMs });
      },
    });
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
    return connection;
  }

  /**
   * Stops acting, in this order: nothing new is taken; what is being carried out comes to its end, and what takes too
   * long is parked (aborted, without a result); results are stored by the control plane; the connection is closed.
   * A leader that has lost its place only aborts and closes. Resolves with whether every platform call has ended.
   */
  async #finish(): Promise<boolean> {
    const { options, leadership, stop, onStatus } = this.#context;
    const { runner } = this.work;
    const connection = this.#current?.connection;
    const isHeard = (): boolean => !leadership.lost.aborted && connection?.status === 'active';
    onStatus('stopping');
    options.onEvent({ type: 'stopping', step: 'draining' });
    this.#stopping = true;
    runner.refuse();
    if (isHeard()) {
      connection?.heartbeat();
      await settlesWithin(runner.idle(), options.stopTimeoutMs, leadership.lost);
    }
    runner.abort(new AgentError('link_lost', 'the agent is stopping', true));
    // Past it leadership is not released.
    const idle = await settlesWithin(runner.idle(), LET_GO_MS);
    if (!idle) {
      const problem = `a platform call went on for ${LET_GO_MS} ms after its abort`;
      options.onError(new AgentError('refused', problem, false), 'stopping');
    }
    if (isHeard()) {
      options.onEvent({ type: 'stopping', step: 'flushing' });
      await settlesWithin(
        Promise.race([runner.settled(), connection!.ended]),
        FLUSH_TIMEOUT_MS,
        leadership.lost,
      );
    }
    this.work.close();
    const closing = [...this.#connections].map((open) => open.close(CLOSE.normal, 'the agent is stopping'));
    await Promise.all(closing);
    stop.removeEventListener('abort', this.#onStop);
    leadership.lost.removeEventListener('abort', this.#onLost);
    options.onEvent({ type: 'stopping', step: 'stopped' });
    return idle;
  }
}

const plainEnd = (reason: string): ConnectionEnd => ({ reason, unauthorized: false, superseded: false });
