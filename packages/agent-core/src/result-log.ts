import { decodeAgentMessage, encodeMessage, type AgentPayloads } from '@streamspace/protocol';

/** How a command ended, as the message that says so. */
export type Result =
  | { type: 'complete'; payload: AgentPayloads['complete'] }
  | { type: 'failed'; payload: AgentPayloads['failed'] };

/** Finished commands that are remembered, so that one that comes again is not carried out again. Past it: the oldest. */
const REMEMBERED_RESULTS = 10_000;
/**
 * Characters of results in one hello, which has to stay readable as a whole. Those beyond it are sent one by one after
 * the welcome.
 */
const HELLO_CHARS = 512 * 1024;

/**
 * Results by command id.
 *
 * A result: unreported → reported (the control plane has stored it) → forgotten. A command that comes again makes its
 * result unreported again.
 */
export class ResultLog {
  /** Oldest first. */
  readonly #results = new Map<string, Result>();
  readonly #unreported = new Set<string>();
  /** Waits for everything to be reported. */
  readonly #waiting = new Set<() => void>();

  /** Results that the control plane does not have yet. */
  get unreported(): number {
    return this.#unreported.size;
  }

  /** Keeps a result; returns it as it can be sent. */
  add(result: Result): Result {
    const kept = portable(result);
    const { commandId } = kept.payload;
    this.#results.set(commandId, kept);
    this.#unreported.add(commandId);
    if (this.#results.size > REMEMBERED_RESULTS) {
      const [oldest] = this.#results.keys();
      this.#results.delete(oldest!);
      this.reported(oldest!);
    }
    return kept;
  }

  /** The result of a command that came again, which the control plane is to be told once more. */
  recall(commandId: string): Result | undefined {
    const result = this.#results.get(commandId);
    if (result) this.#unreported.add(commandId);
    return result;
  }

  reported(commandId: string): void {
    this.#unreported.delete(commandId);
    if (this.#unreported.size > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Resolves once the control plane has every result. */
  settled(): Promise<void> {
    if (this.#unreported.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  *pending(): Generator<Result> {
    for (const id of this.#unreported) {
      const result = this.#results.get(id);
      if (result) yield result;
    }
  }

  /** What goes with hello: as much as fits. */
  forHello(): AgentPayloads['hello']['finished'] {
    const finished: AgentPayloads['hello']['finished'] = { completed: [], failed: [] };
    let chars = 0;
    for (const result of this.pending()) {
      chars += JSON.stringify(result.payload).length;
      if (chars > HELLO_CHARS) break;
      if (result.type === 'complete') finished.completed.push(result.payload);
      else finished.failed.push(result.payload);
    }
    return finished;
  }
}

/**
 * A platform's details may be more than a message can hold. The outcome is what matters: it is reported without them,
 * rather than resent for ever and refused each time.
 */
function portable(result: Result): Result {
  try {
    decodeAgentMessage(encodeMessage(result));
    return result;
  } catch {
    const { commandId } = result.payload;
    if (result.type === 'complete') return { type: 'complete', payload: { commandId } };
    return {
      type: 'failed',
      payload: { commandId, error: 'the failure could not be put into words', code: 'internal' },
    };
  }
}
