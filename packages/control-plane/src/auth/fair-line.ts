export interface FairLineLimits {
  /** Most items that wait. */
  readonly total: number;
  /** Most items of one key that wait. */
  readonly perKey: number;
  /**
   * What many keys of one caller have in common, such as a wider network.
   *
   * @default the key
   */
  readonly crowdOf?: (key: string) => string;
  /** @default Math.random */
  readonly random?: () => number;
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
   *   the added one where its own key would have as many. Where each key has one, it is the newest key of the largest
   *   crowd, or a random one where each crowd has one
   */
  push(key: string, item: T): T | undefined {
    const own = this.#waiting.get(key);
    const count = own?.length ?? 0;
    if (count >= this.#limits.perKey) return item;
    let dropped: T | undefined;
    if (this.#size >= this.#limits.total) {
      const longest = this.#longest();
      const from = longest.items.length > count + 1 ? longest : count === 0 && this.#crowded(key);
      if (!from) return item;
      dropped = from.items.pop();
      if (from.items.length === 0) this.#waiting.delete(from.key);
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

  #longest(): Entry<T> {
    let longest: Entry<T> = { key: '', items: [] };
    for (const [key, items] of this.#waiting)
      if (items.length > longest.items.length) longest = { key, items };
    return longest;
  }

  /** Where each key has one item: the key that goes for a new one, if any. */
  #crowded(newcomer: string): Entry<T> | undefined {
    const { crowdOf = (key: string) => key, random = Math.random } = this.#limits;
    const crowds = new Map<string, string[]>();
    for (const key of this.#waiting.keys())
      crowds.set(crowdOf(key), [...(crowds.get(crowdOf(key)) ?? []), key]);
    const own = crowds.get(crowdOf(newcomer))?.length ?? 0;
    const [first = [], ...rest] = crowds.values();
    const largest = rest.reduce((most, keys) => (keys.length > most.length ? keys : most), first);
    const keys = [...this.#waiting.keys()];
    let key: string | undefined;
    if (largest.length > own + 1) key = largest.at(-1);
    else if (own === 0) key = keys[Math.floor(random() * keys.length)];
    return key === undefined ? undefined : { key, items: this.#waiting.get(key)! };
  }
}

interface Entry<T> {
  readonly key: string;
  readonly items: T[];
}
