import { setMaxListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import type { CommandQueue, Outcome } from './ports.js';

/** Waits between attempts while the queue's store is away, in ms: the first and the longest. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;

export interface ReportsOptions {
  readonly agentId: string;
  readonly epoch: number;
  readonly commands: CommandQueue;
  /** Aborted when the connection is gone: what could not be written until then the agent says again on its next one. */
  readonly signal: AbortSignal;
  readonly onError: (error: unknown, where: string) => void;
}

/**
 * Writes what an agent says of commands on one connection. While the store is away it is tried again and again, for as
 * long as the connection lasts.
 *
 * Everything rejects with the signal's reason once that is aborted, and with what the queue rejects with for good.
 */
export class Reports {
  constructor(private readonly options: ReportsOptions) {
    // While the store is away every report that the link has taken waits, and each waits with this signal.
    setMaxListeners(0, options.signal);
  }

  /** Resolves with `stale` when the agent has a newer connection; nothing was written then. */
  acknowledge(commandId: string): Promise<'written' | 'stale'> {
    const { commands, agentId, epoch } = this.options;
    return this.#unlessStale(async () => {
      await commands.acknowledge(commandId, agentId, epoch);
      return 'written' as const;
    });
  }

  /** Resolves with whether the outcome is the command's, or came late; `stale` as above. */
  async finish(commandId: string, outcome: Outcome): Promise<'first' | 'late' | 'stale'> {
    try {
      return await this.#finish(commandId, outcome);
    } catch (error) {
      const { agentId, signal, onError } = this.options;
      if (signal.aborted || (error as { shouldRetry?: unknown } | null)?.shouldRetry !== false) throw error;
      // The store will never take it. That it ended, and how, matters more than what came with it.
      onError(error, `storing what command ${commandId} of agent ${agentId} gave; it is stored without`);
      return await this.#finish(commandId, bare(outcome));
    }
  }

  #finish(commandId: string, outcome: Outcome): Promise<'first' | 'late' | 'stale'> {
    const { commands, agentId, epoch } = this.options;
    return this.#unlessStale(async () =>
      (await commands.finish(commandId, agentId, outcome, epoch)) ? 'first' : 'late',
    );
  }

  /** Resolves with those that go on; the others have an outcome, or are unknown. */
  async resume(running: readonly string[]): Promise<readonly string[]> {
    const { commands, agentId, epoch } = this.options;
    return running.length === 0 ? [] : this.#persist(() => commands.resume(agentId, epoch, running));
  }

  async #unlessStale<T>(write: () => Promise<T>): Promise<T | 'stale'> {
    try {
      return await this.#persist(write);
    } catch (error) {
      if ((error as { code?: unknown } | null)?.code === 'stale_epoch') return 'stale';
      throw error;
    }
  }

  async #persist<T>(write: () => Promise<T>): Promise<T> {
    const { agentId, signal, onError } = this.options;
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)) {
      signal.throwIfAborted();
      try {
        return await write();
      } catch (error) {
        if ((error as { shouldRetry?: unknown } | null)?.shouldRetry !== true) throw error;
        if (retryMs === FIRST_RETRY_MS)
          onError(error, `writing what agent ${agentId} said, which is repeated`);
      }
      await wait(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

const bare = (outcome: Outcome): Outcome =>
  outcome.state === 'completed'
    ? { state: 'completed' }
    : {
        state: 'failed',
        error: 'It failed, and its reason could not be stored.',
        code: 'result_unstorable',
      };
