export interface FairLineLimits {
  /** Most items that wait. */
  readonly total: number;
  /** Most items of one key that wait. */
  readonly perKey: number;
}

/**
 * A waiting line that serves keys in turn, so that who brings many items delays the others by one of them at most:
 * while a key waits, no other key is served twice. Items of one key are served in the order in which they came.
 */
export class FairLine<T> {
  readonly #limits: FairLineLimits;
  /** Items by key, in the order in which the keys are served. */
  readonly #waiting = new Map<string, T[]>();
  #size = 0;

  constructor(limits: FairLineLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Adds an item.
   *
   * @returns the item that has to go for it where the line is full: the newest of the key that has the most, which is
   *   the added one where its own key would have as many
   */
  push(key: string, item: T): T | undefined {
    const own = this.#waiting.get(key);
    const count = own?.length ?? 0;
    if (count >= this.#limits.perKey) return item;
    let dropped: T | undefined;
    if (this.#size >= this.#limits.total) {
      const longest = this.#longest();
      if (longest.length <= count + 1) return item;
      dropped = longest.pop();
      this.#size -= 1;
    }
    if (own) own.push(item);
    else this.#waiting.set(key, [item]);
    this.#size += 1;
    return dropped;
  }

  /** Takes the next item out. */
  shift(): T | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    const [key, items] = first;
    const item = items.shift();
    this.#waiting.delete(key);
    if (items.length > 0) this.#waiting.set(key, items);
    this.#size -= 1;
    return item;
  }

  /** A line that gives an item away keeps at least one: it had more than the newcomer's. */
  #longest(): T[] {
    let longest: T[] = [];
    for (const items of this.#waiting.values()) if (items.length > longest.length) longest = items;
    return longest;
  }
}
