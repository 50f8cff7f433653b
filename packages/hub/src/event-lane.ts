import type { HubEvent } from './hub.js';

/** Calls the owner's event handler: one event of an agent after the other, agents side by side. */
export class EventLane {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #handler: (event: HubEvent) => void | Promise<void>;
  readonly #onError: (error: unknown, where: string) => void;

  constructor(
    handler: (event: HubEvent) => void | Promise<void>,
    onError: (error: unknown, where: string) => void,
  ) {
    this.#handler = handler;
    this.#onError = onError;
  }

  /** Resolves when the handler has dealt with this event. Never rejects. */
  emit(event: HubEvent): Promise<void> {
    const before = this.#tails.get(event.agentId) ?? Promise.resolve();
    const tail = before.then(async () => {
      try {
        await this.#handler(event);
      } catch (error) {
        this.#onError(error, `handling ${event.type}`);
      }
    });
    this.#tails.set(event.agentId, tail);
    void tail.then(() => {
      if (this.#tails.get(event.agentId) === tail) this.#tails.delete(event.agentId);
    });
    return tail;
  }

  async settled(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}
