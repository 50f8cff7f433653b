export interface ExpiringMapOptions {
  /** Most entries; past it the one that was set longest ago is forgotten. */
  readonly limit: number;
  /** An entry is forgotten this long after it was set, in ms. */
  readonly lifetimeMs: number;
  readonly now: () => number;
}

/** A map for what strangers can add to: bounded in entries and in time, without a timer. */
export class ExpiringMap<V> {
  readonly #options: ExpiringMapOptions;
  /** In the order in which they were set. */
  readonly #entries = new Map<string, { readonly value: V; readonly at: number }>();

  constructor(options: ExpiringMapOptions) {
    this.#options = options;
  }

  /** Entries that are held, expired ones among them until the next `set`. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    return entry && !this.#isOver(entry.at) ? entry.value : undefined;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, at: this.#options.now() });
    for (const [oldest, { at }] of this.#entries) {
      if (this.#entries.size <= this.#options.limit && !this.#isOver(at)) break;
      this.#entries.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  #isOver(at: number): boolean {
    return this.#options.now() - at >= this.#options.lifetimeMs;
  }
}
