/** Which session each command of a connection was for, so far as an inventory has not yet spoken of it. */
export class SentLog {
  #count = 0;
  /** Session → number of the last command sent for it, oldest first. */
  readonly #last = new Map<string, number>();

  add(sessionId: string): void {
    this.#count += 1;
    this.#last.delete(sessionId);
    this.#last.set(sessionId, this.#count);
  }

  /** Sessions with a command after the first `position`; older entries are forgotten (positions only grow). */
  since(position: number): ReadonlySet<string> {
    const later = new Set<string>();
    for (const [sessionId, number] of this.#last)
      if (number > position) later.add(sessionId);
      else this.#last.delete(sessionId);
    return later;
  }
}
