import { randomUUID } from 'node:crypto';
import type { Agent, AgentOptions, AgentStatus } from './agent.js';
import type { Leadership } from './election.js';
import { AgentError } from './errors.js';
import { resolveAgentOptions, type ResolvedAgentOptions } from './options.js';
import { Term } from './term.js';

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

  constructor(options: ResolvedAgentOptions) {
    this.#options = options;
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
        if (leadership) await this.#lead(leadership, signal);
      }
    } finally {
      this.#status = 'stopped';
    }
  }

  /** Resolves with nothing when the agent is to stop. */
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

  async #lead(leadership: Leadership, stop: AbortSignal): Promise<void> {
    const term = new Term({
      options: this.#options,
      instanceId: this.#instanceId,
      leadership,
      stop,
      onStatus: (status) => (this.#status = status),
    });
    const { idle, failure } = await term.run();
    // Whoever is still acting must not make room for another.
    if (idle) await leadership[Symbol.asyncDispose]();
    else leadership.abandon();
    if (failure !== undefined) throw failure;
  }
}
