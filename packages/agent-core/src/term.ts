import { CLOSE, type AgentMessage, type ControlPayloads } from '@streamspace/protocol';
import { CommandRunner } from './command-runner.js';
import { Connection } from './connection.js';
import type { Leadership } from './election.js';
import { agentEndpoints } from './endpoints.js';
import { AgentError } from './errors.js';
import type { ResolvedAgentOptions } from './options.js';
import { register } from './register.js';
import { Backoff, pause } from './wait.js';

/** A connection that lasted this long, in ms, was a good one: the next pause starts small again. */
const GOOD_CONNECTION_MS = 15_000;
/** How long platform calls may take to stop once they were aborted, in ms. Past it leadership is not released. */
const ABORT_TIMEOUT_MS = 5_000;

export interface TermContext {
  readonly options: ResolvedAgentOptions;
  readonly instanceId: string;
  readonly leadership: Leadership;
  /** The agent is to stop. */
  readonly stop: AbortSignal;
  readonly onStatus: (status: 'registering' | 'connecting' | 'connected' | 'stopping') => void;
}

/**
 * One term of leadership, with a run context of its own: until the agent is to stop, or leadership is lost.
 *
 * registering → connecting → connected → (pause → registering or connecting …) → stopping
 */
export class Term {
  #connection: Connection | undefined;
  /** Also false when the control plane refused the upgrade: registering tells whether the key is of use. */
  #registered = false;
  readonly #context: TermContext;
  readonly #runner: CommandRunner;
  readonly #backoff: Backoff;
  readonly #over: AbortSignal;
  readonly #endpoints: { register: string; connect: string };

  constructor(context: TermContext) {
    const { options, leadership, stop } = context;
    this.#context = context;
    this.#backoff = new Backoff(options.reconnect);
    this.#over = AbortSignal.any([stop, leadership.lost]);
    this.#endpoints = agentEndpoints(options.controlPlaneUrl, options.agentId);
    this.#runner = new CommandRunner({
      platform: options.platform,
      send: (message: AgentMessage) => this.#connection?.send(message),
      onStarted: ({ commandId, action, sessionId }) =>
        options.onEvent({ type: 'command', commandId, action, sessionId }),
      onFinished: ({ commandId }, result) =>
        options.onEvent({
          type: 'command_done',
          commandId,
          ok: result.type === 'complete',
          ...(result.type === 'failed' && { detail: result.payload.error }),
        }),
    });
  }

  /**
   * Resolves when the term is over. `idle`: nothing acts any more; if not, leadership must not be handed over.
   * `failure`: what no retry can help.
   */
  async run(): Promise<{ idle: boolean; failure?: unknown }> {
    try {
      while (!this.#over.aborted) {
        const reason = await this.#connectOnce();
        if (this.#over.aborted) break;
        const retryInMs = this.#backoff.next();
        this.#context.options.onEvent({ type: 'disconnected', reason, retryInMs });
        await pause(retryInMs, this.#over);
      }
    } catch (failure) {
      return { idle: await this.#finish(), failure };
    }
    return { idle: await this.#finish() };
  }

  /** Resolves with why the connection ended or could not be had, or when the term is over. */
  async #connectOnce(): Promise<string> {
    const { options, onStatus } = this.#context;
    try {
      if (!this.#registered) {
        onStatus('registering');
        await register(this.#endpoints.register, options, this.#over);
        this.#registered = true;
        options.onEvent({ type: 'registered', agentId: options.agentId });
      }
    } catch (error) {
      if (this.#over.aborted) return 'the agent is stopping';
      if (!(error instanceof AgentError) || !error.shouldRetry) throw error;
      return error.message;
    }
    onStatus('connecting');
    const startedAt = performance.now();
    this.#connection = this.#dial();
    const ended = new AbortController();
    const over = pause(2 ** 31 - 1, AbortSignal.any([this.#over, ended.signal]));
    const end = await Promise.race([this.#connection.ended, over]);
    ended.abort();
    if (!end) return 'the agent is stopping';
    if (end.unauthorized) this.#registered = false;
    if (performance.now() - startedAt > GOOD_CONNECTION_MS) this.#backoff.reset();
    return end.reason;
  }

  #dial(): Connection {
    const { options, instanceId, leadership, onStatus } = this.#context;
    return new Connection({
      url: this.#endpoints.connect,
      instanceId,
      fencingToken: leadership.fencingToken,
      options,
      runner: this.#runner,
      onWelcome: ({ epoch, heartbeatIntervalMs }: ControlPayloads['welcome']) => {
        onStatus('connected');
        options.onEvent({ type: 'connected', agentId: options.agentId, epoch, heartbeatIntervalMs });
      },
    });
  }

  /**
   * Stops acting, in this order: what is being carried out comes to its end and is reported, unless leadership is lost;
   * what then still runs is aborted; the connection is closed. Resolves with whether every platform call has ended.
   */
  async #finish(): Promise<boolean> {
    const { options, leadership, onStatus } = this.#context;
    onStatus('stopping');
    if (!leadership.lost.aborted && this.#connection?.status === 'active') {
      this.#connection.drain();
      await this.#idleWithin(options.stopTimeoutMs, leadership.lost);
    }
    this.#runner.abort(new AgentError('link_lost', 'the agent is stopping', true));
    const idle = await this.#idleWithin(ABORT_TIMEOUT_MS);
    if (!idle)
      options.onError(
        new AgentError(
          'refused',
          `a platform call went on for ${ABORT_TIMEOUT_MS} ms after its abort`,
          false,
        ),
        'stopping',
      );
    await this.#connection?.close(CLOSE.normal, 'the agent is stopping');
    return idle;
  }

  async #idleWithin(ms: number, earlier?: AbortSignal): Promise<boolean> {
    const bound = new AbortController();
    const signals = earlier ? [bound.signal, earlier] : [bound.signal];
    const idle = this.#runner.idle().then(() => true);
    const result = await Promise.race([idle, pause(ms, AbortSignal.any(signals)).then(() => false)]);
    bound.abort();
    return result;
  }
}
