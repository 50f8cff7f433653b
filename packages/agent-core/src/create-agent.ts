import { randomUUID } from 'node:crypto';
import { CLOSE, type AgentMessage } from '@streamspace/protocol';
import type { Agent, AgentOptions, AgentStatus } from './agent.js';
import { CommandRunner } from './command-runner.js';
import { Connection } from './connection.js';
import type { Leadership } from './election.js';
import { agentEndpoints } from './endpoints.js';
import { AgentError } from './errors.js';
import { resolveAgentOptions, type ResolvedAgentOptions } from './options.js';
import { register } from './register.js';
import { Backoff, pause } from './wait.js';

/** A connection that lasted this long, in ms, was a good one: the next pause starts small again. */
const GOOD_CONNECTION_MS = 15_000;

/**
 * Makes an agent: it campaigns for leadership, registers, dials the control plane, carries out commands, and dials
 * again whenever the connection is lost. The platform stays the caller's.
 *
 * @throws RangeError naming the option and what is allowed
 */
export function createAgent(given: AgentOptions): Agent {
  return new AgentRuntime(resolveAgentOptions(given));
}

class AgentRuntime implements Agent {
  #status: AgentStatus = 'idle';
  readonly #options: ResolvedAgentOptions;
  readonly #instanceId = randomUUID();
  readonly #endpoints: { register: string; connect: string };

  constructor(options: ResolvedAgentOptions) {
    this.#options = options;
    this.#endpoints = agentEndpoints(options.controlPlaneUrl, options.agentId);
  }

  get status(): AgentStatus {
    return this.#status;
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#status !== 'idle') throw new AgentError('refused', 'an agent runs once; make another', false);
    try {
      while (!signal.aborted) {
        this.#status = 'campaigning';
        const leadership = await this.#campaign(signal);
        if (!leadership) break;
        try {
          await this.#lead(leadership, signal);
        } finally {
          await leadership[Symbol.asyncDispose]();
        }
      }
    } finally {
      this.#status = 'stopped';
    }
  }

  async #campaign(signal: AbortSignal): Promise<Leadership | undefined> {
    try {
      const leadership = await this.#options.election.campaign(signal);
      const { fencingToken } = leadership;
      this.#options.onEvent({ type: 'leading', ...(fencingToken !== undefined && { fencingToken }) });
      return leadership;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  /** One term: until the agent is to stop, or leadership is lost. Each term has a run context of its own. */
  async #lead(leadership: Leadership, stop: AbortSignal): Promise<void> {
    const { onEvent, platform, reconnect } = this.#options;
    const over = AbortSignal.any([stop, leadership.lost]);
    const backoff = new Backoff(reconnect);
    let connection: Connection | undefined;
    let registered = false;
    const runner = new CommandRunner({
      platform,
      send: (message: AgentMessage) => connection?.send(message),
      onStarted: ({ commandId, action, sessionId }) =>
        onEvent({ type: 'command', commandId, action, sessionId }),
      onFinished: ({ commandId }, result) =>
        onEvent({
          type: 'command_done',
          commandId,
          ok: result.type === 'complete',
          ...(result.type === 'failed' && { detail: result.payload.error }),
        }),
    });
    const finish = async (): Promise<void> => {
      if (stop.aborted && !leadership.lost.aborted) await this.#park(runner, connection, leadership.lost);
      runner.abort(new AgentError('link_lost', 'the agent is stopping', true));
    };

    while (!over.aborted) {
      let reason: string;
      try {
        if (!registered) {
          this.#status = 'registering';
          await register(this.#endpoints.register, this.#options, over);
          registered = true;
          onEvent({ type: 'registered', agentId: this.#options.agentId });
        }
        this.#status = 'connecting';
        const startedAt = performance.now();
        connection = this.#connect(runner, leadership);
        const stopped = once(over);
        const end = await Promise.race([connection.ended, stopped.promise]);
        stopped.dispose();
        if (!end) {
          this.#status = 'stopping';
          await finish();
          await connection.close(CLOSE.normal, 'the agent is stopping');
          return;
        }
        if (end.failure) throw end.failure;
        if (performance.now() - startedAt > GOOD_CONNECTION_MS) backoff.reset();
        reason = end.reason;
      } catch (error) {
        if (over.aborted) break;
        if (!(error instanceof AgentError) || !error.shouldRetry) {
          runner.abort(new AgentError('link_lost', 'the agent is stopping', true));
          throw error;
        }
        reason = error.message;
      }
      const retryInMs = backoff.next();
      onEvent({ type: 'disconnected', reason, retryInMs });
      await pause(retryInMs, over);
    }
    this.#status = 'stopping';
    await finish();
  }

  #connect(runner: CommandRunner, leadership: Leadership): Connection {
    const { agentId, onEvent } = this.#options;
    return new Connection({
      url: this.#endpoints.connect,
      instanceId: this.#instanceId,
      fencingToken: leadership.fencingToken,
      options: this.#options,
      runner,
      onWelcome: ({ epoch, heartbeatIntervalMs }) => {
        this.#status = 'connected';
        onEvent({ type: 'connected', agentId, epoch, heartbeatIntervalMs });
      },
    });
  }

  /** Lets what is being carried out come to its end, within bounds, so that its result is still reported. */
  async #park(runner: CommandRunner, connection: Connection | undefined, lost: AbortSignal): Promise<void> {
    connection?.drain();
    const bound = new AbortController();
    const waited = pause(this.#options.stopTimeoutMs, AbortSignal.any([bound.signal, lost]));
    await Promise.race([runner.idle(), waited]);
    bound.abort();
  }
}

/** Resolves (with nothing) when the signal aborts; `dispose` takes the listener away. */
function once(signal: AbortSignal): { promise: Promise<undefined>; dispose: () => void } {
  let listener = (): void => undefined;
  const promise = new Promise<undefined>((resolve) => {
    listener = () => resolve(undefined);
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', listener, { once: true });
  });
  return { promise, dispose: () => signal.removeEventListener('abort', listener) };
}
