import { decodeAgentMessage, encodeMessage, type AgentPayloads } from '@streamspace/protocol';

/** How a command ended, as the message that says so. */
export type Result =
  | { type: 'complete'; payload: AgentPayloads['complete'] }
  | { type: 'failed'; payload: AgentPayloads['failed'] };

/**
 * Finished commands that are remembered, so that one that comes again is not carried out again. Past it the oldest that was
 * reported is forgotten, and where there is none the oldest.
 */
const REMEMBERED_RESULTS = 10_000;
/** Characters of results that wait to be reported. Past it the oldest are reported without their details. */
const UNREPORTED_CHARS = 32 * 2 ** 20;
/**
 * Characters of results in one hello, which has to stay readable as a whole. Those beyond it are sent one by one after
 * the welcome.
 */
const HELLO_CHARS = 512 * 1024;

interface Unreported {
  readonly result: Result;
  /** Of the message; 0 for one without details. */
  readonly chars: number;
}

/**
 * Results by command id.
 *
 * A result: unreported → reported (the control plane has stored it; only how it ended is kept) → forgotten. A command
 * that comes again makes its result unreported again, without its details.
 */
export class ResultLog {
  /** Oldest first, as the next two. */
  readonly #unreported = new Map<string, Unreported>();
  /** Those of {@link #unreported} that have details. */
  readonly #detailed = new Set<string>();
  readonly #reported = new Map<string, Result>();
  #chars = 0;
  /** Waits for everything to be reported. */
  readonly #waiting = new Set<() => void>();

  /** Results that the control plane does not have yet. */
  get unreported(): number {
    return this.#unreported.size;
  }

  /** Characters of results that the control plane does not have yet. */
  get unreportedChars(): number {
    return this.#chars;
  }

  /** Keeps a result; returns it as it can be sent. */
  add(result: Result): Result {
    const { commandId } = result.payload;
    const { kept, chars } = portable(result);
    this.#forget(commandId);
    this.#unreported.set(commandId, { result: kept, chars });
    if (chars > 0) this.#detailed.add(commandId);
    this.#chars += chars;
    while (this.#chars > UNREPORTED_CHARS) {
      const [oldest] = this.#detailed;
      this.#strip(oldest!);
    }
    if (this.#unreported.size + this.#reported.size > REMEMBERED_RESULTS) {
      const [oldest] = this.#reported.size > 0 ? this.#reported.keys() : this.#unreported.keys();
      this.#forget(oldest!);
    }
    return kept;
  }

  /** The result of a command that came again, which the control plane is to be told once more. */
  recall(commandId: string): Result | undefined {
    const waiting = this.#unreported.get(commandId);
    if (waiting) return waiting.result;
    const result = this.#reported.get(commandId);
    if (!result) return undefined;
    this.#reported.delete(commandId);
    this.#unreported.set(commandId, { result, chars: 0 });
    return result;
  }

  reported(commandId: string): void {
    const known = this.#unreported.get(commandId);
    if (!known) return;
    this.#forget(commandId);
    this.#reported.set(commandId, withoutDetails(known.result));
    this.#tellSettled();
  }

  /** Resolves once the control plane has every result. */
  settled(): Promise<void> {
    if (this.#unreported.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  *pending(): Generator<Result> {
    for (const { result } of this.#unreported.values()) yield result;
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

  #strip(commandId: string): void {
    const { result, chars } = this.#unreported.get(commandId)!;
    this.#chars -= chars;
    this.#detailed.delete(commandId);
    this.#unreported.set(commandId, { result: withoutDetails(result), chars: 0 });
  }

  #forget(commandId: string): void {
    this.#chars -= this.#unreported.get(commandId)?.chars ?? 0;
    this.#unreported.delete(commandId);
    this.#detailed.delete(commandId);
    this.#reported.delete(commandId);
    this.#tellSettled();
  }

  #tellSettled(): void {
    if (this.#unreported.size > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** How it ended, and no more. */
function withoutDetails({ type, payload }: Result): Result {
  const { commandId } = payload;
  if (type === 'complete') return { type, payload: { commandId } };
  const { code = 'internal' } = payload;
  return { type, payload: { commandId, error: 'the reason is kept no longer', code } };
}

/**
 * A platform's details may be more than a message can hold. The outcome is what matters: it is reported without them,
 * rather than resent for ever and refused each time.
 */
function portable(result: Result): { kept: Result; chars: number } {
  try {
    const text = encodeMessage(result);
    decodeAgentMessage(text);
    return { kept: result, chars: text.length };
  } catch {
    const { commandId } = result.payload;
    if (result.type === 'complete') return { kept: { type: 'complete', payload: { commandId } }, chars: 0 };
    const payload = { commandId, error: 'the failure could not be put into words', code: 'internal' };
    return { kept: { type: 'failed', payload }, chars: 0 };
  }
}
