import { CLOSE } from '@streamspace/protocol';
import { ViewerEnd } from './viewer-end.js';

/** How many viewers each session has on this replica, and may have. */
export class ViewerSeats {
  readonly #taken = new Map<string, number>();

  constructor(readonly perSession: number) {}

  /**
   * Takes a seat; the viewer gives it back by calling what it gets, once.
   *
   * @throws ViewerEnd 4429 when all are taken
   */
  take(sessionId: string): () => void {
    const taken = this.#taken.get(sessionId) ?? 0;
    if (taken >= this.perSession)
      throw new ViewerEnd(
        CLOSE.limitReached,
        `This desktop has as many viewers as it may (${this.perSession}). Close one and try again.`,
      );
    this.#taken.set(sessionId, taken + 1);
    return () => {
      const left = (this.#taken.get(sessionId) ?? 1) - 1;
      if (left === 0) this.#taken.delete(sessionId);
      else this.#taken.set(sessionId, left);
    };
  }
}
