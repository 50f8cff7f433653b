/** What the viewers' endpoint of this replica has counted since the control plane was made. */
export interface ViewerCounters {
  /** Viewers whose connection is there and that wait: for their ticket, their session or its desktop. Of now. */
  readonly waiting: number;
  /** Viewers that are joined to a desktop. Of now. */
  readonly open: number;
  /** Viewers that were joined to a desktop. */
  readonly opened: number;
  /** Viewers that were not, by close code, or by HTTP status where the upgrade was refused. */
  readonly refused: Readonly<Record<number, number>>;
  /** Viewers that were joined and are not any more, by close code; 1006 for those that went without a word. */
  readonly ended: Readonly<Record<number, number>>;
}

/** Counts for one endpoint. */
export class ViewerCounts {
  #opened = 0;
  #open = 0;
  readonly #refused: Record<number, number> = {};
  readonly #ended: Record<number, number> = {};

  opened(): void {
    this.#opened += 1;
    this.#open += 1;
  }

  ended(code: number): void {
    this.#open -= 1;
    countOne(this.#ended, code);
  }

  refused(code: number): void {
    countOne(this.#refused, code);
  }

  /** @param connections all that are there, those that wait included */
  snapshot(connections: number): ViewerCounters {
    return {
      // One that has ended may still be closing its socket.
      waiting: Math.max(0, connections - this.#open),
      open: this.#open,
      opened: this.#opened,
      refused: { ...this.#refused },
      ended: { ...this.#ended },
    };
  }
}

function countOne(counts: Record<number, number>, code: number): void {
  counts[code] = (counts[code] ?? 0) + 1;
}
