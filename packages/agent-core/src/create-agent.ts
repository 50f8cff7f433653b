import { randomUUID } from 'node:crypto';
import type { Agent, AgentHealth, AgentOptions, AgentStatus } from './agent.js';
import type { Leadership } from './election.js';
import { AgentError } from './errors.js';
import { newCounters, type AgentMetrics } from './metrics.js';
import { resolveAgentOptions, type ResolvedAgentOptions } from './options.js';
import { Term } from './term.js';

/**
 * Makes an agent: it campaigns for leadership, registers, dials the control plane, carries out commands, and dials
 * again whenever the connection is lost. The platform stays the caller's.
 *
 * @throws RangeError naming the option and what is allowed
 * @throws AgentError `insecure_url` where the key would go unencrypted over a network, and that is not allowed
 */
export function createAgent(given: AgentOptions): Agent {
  return new AgentRuntime(resolveAgentOptions(given));
}

const NOT_READY: Readonly<Record<AgentStatus, string | undefined>> = {
  idle: 'The agent was not started.',
  campaigning: undefined,
  registering: 'The agent is not registered with the control plane yet.',
  connecting: 'The agent has no connection to the control plane.',
  connected: undefined,
  stopping: 'The agent is stopping.',
  stopped: 'The agent has stopped.',
};

class AgentRuntime implements Agent {
  #status: AgentStatus = 'idle';
  #term: Term | undefined;
  readonly #options: ResolvedAgentOptions;
  readonly #counters = newCounters();
  readonly #instanceId = randomUUID();

  constructor(options: ResolvedAgentOptions) {
    this.#options = options;
  }

  get status(): AgentStatus {
    return this.#status;
  }

  health(): AgentHealth {
    const reason = NOT_READY[this.#status] ?? this.#term?.work.problem;
    const link = this.#term?.link;
    return {
      status: this.#status,
      healthy: this.#status !== 'stopped',
      ready: reason === undefined,
      ...(reason !== undefined && { reason }),
      ...(link && { epoch: link.epoch, silentMs: Math.round(link.silentMs) }),
    };
  }

  metrics(): AgentMetrics {
    const counters = structuredClone(this.#counters);
    const { sent = 0, received = 0 } = this.#term?.link?.streamBytes ?? {};
    return {
      ...counters,
      bytesToViewers: counters.bytesToViewers + sent,
      bytesFromViewers: counters.bytesFromViewers + received,
      ...(this.#term?.work.metrics() ?? {
        commandsActing: 0,
        commandsWaiting: 0,
        commandsStuck: 0,
        resultsUnreported: 0,
        streams: 0,
        sessions: { starting: 0, running: 0, hibernated: 0, stopped: 0, failed: 0 },
      }),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#status !== 'idle') throw new AgentError('refused', 'an agent runs once; make another', false);
    try {
      while (!signal.aborted) {
        this.#status = 'campaigning';
        const leadership = await this.#campaign(signal);
        if (leadership) await this.#lead(leadership, signal);
      }
    } finally {
      this.#status = 'stopped';
    }
  }

  /** Resolves with nothing when the agent is to stop. */
  async #campaign(signal: AbortSignal): Promise<Leadership | undefined> {
    const { election, onEvent } = this.#options;
    onEvent({ type: 'campaigning' });
    try {
      const leadership = await election.campaign(signal);
      const { fencingToken } = leadership;
      onEvent({ type: 'leading', ...(fencingToken !== undefined && { fencingToken }) });
      return leadership;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  async #lead(leadership: Leadership, stop: AbortSignal): Promise<void> {
    const term = new Term({
      options: this.#options,
      counters: this.#counters,
      instanceId: this.#instanceId,
      leadership,
      stop,
      onStatus: (status) => (this.#status = status),
    });
    this.#term = term;
    const { idle, reason, failure } = await term.run();
    this.#term = undefined;
    // Whoever is still acting must not make room for another.
    if (idle) await leadership[Symbol.asyncDispose]();
    else leadership.abandon();
    this.#options.onEvent({ type: 'leadership_ended', reason });
    if (failure !== undefined) throw failure;
  }
}
