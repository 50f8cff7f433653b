import { DatabaseError, isDatabaseError } from './database-error.js';
import { retryConflicts } from './retry.js';

/** Write statements in flight at once, over all lanes. More only wait for each other in the database. */
const STATEMENTS_IN_FLIGHT = 2;
/** Most items of one statement, where the lane does not say otherwise. */
const BATCH_ITEMS = 512;
/** Most items of one lane that wait; past it `add` rejects with `overloaded`. */
const WAITING_ITEMS = 20_000;

export interface LaneOptions<Item, Result> {
  /** For error texts. */
  readonly name: string;
  /**
   * Writes all of them in one statement or transaction, or none and rejects. Resolves with a result for each, in their
   * order; an `Error` among them rejects that item alone, {@link AGAIN} puts it into a later statement.
   */
  readonly write: (items: readonly Item[]) => Promise<(Result | Error | typeof AGAIN)[]>;
  /**
   * Items of one key go one after the other, in the order in which they came. Without it, any may go together, and their
   * rows’ locks decide.
   */
  readonly keyOf?: (item: Item) => string;
  /** Most items of one statement. @default 512 */
  readonly batchItems?: number;
}

export interface Lane<Item, Result> {
  /**
   * Resolves when the item is on disk.
   *
   * @throws DatabaseError; `overloaded` when too many wait already, and then nothing was written
   */
  add(item: Item): Promise<Result>;
}

/** A `write` could not judge the item by what it saw: the row changed meanwhile. */
export const AGAIN = Symbol('again');
/** How often an item is put off. Past it the caller is told `conflict`. */
const ATTEMPTS = 8;

/** Errors that one item of a batch can cause for all of them. */
const POISON: ReadonlySet<string> = new Set(['constraint', 'invalid_value', 'internal']);

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly key: string | undefined;
  /** Orders items over all lanes. */
  readonly number: number;
  attempts: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

interface AnyLane {
  /** Number of the item that waits for longest among those that may go now. */
  oldest(): number | undefined;
  run(): Promise<void>;
}

/**
 * Group commit. A few statements are in flight; everything that arrives meanwhile rides in the next one of its lane, so
 * that a transaction's fixed cost (round trip, plan, fsync) is shared by as many as there are.
 *
 * An item: waiting → in flight → settled; in flight → waiting again, when its row changed under the statement.
 *
 * A statement that loses a deadlock is repeated. One that fails because of what is in it is repeated in halves, down to
 * one item, so that a bad item fails alone.
 */
export class GroupCommit {
  readonly #lanes: AnyLane[] = [];
  #running = 0;
  #items = 0;
  #starting = false;

  lane<Item, Result>(options: LaneOptions<Item, Result>): Lane<Item, Result> {
    const lane = new WriteLane(options);
    this.#lanes.push(lane);
    return {
      add: async (item) => {
        if (lane.size >= WAITING_ITEMS)
          throw new DatabaseError(
            'overloaded',
            `${WAITING_ITEMS} items wait to be written (${options.name}); nothing was written`,
          );
        const settled = lane.push(item, ++this.#items);
        this.#start();
        return settled;
      },
    };
  }

  /** Starts statements once the callers of this turn of the event loop have all come. */
  #start(): void {
    if (this.#starting || this.#running >= STATEMENTS_IN_FLIGHT) return;
    this.#starting = true;
    setImmediate(() => {
      this.#starting = false;
      while (this.#running < STATEMENTS_IN_FLIGHT && this.#next());
    });
  }

  #next(): boolean {
    let first: AnyLane | undefined;
    let oldest = Infinity;
    for (const lane of this.#lanes) {
      const number = lane.oldest();
      if (number === undefined || number >= oldest) continue;
      [first, oldest] = [lane, number];
    }
    if (!first) return false;
    this.#running += 1;
    void first.run().finally(() => {
      this.#running -= 1;
      this.#start();
    });
    return true;
  }
}

class WriteLane<Item, Result> implements AnyLane {
  #waiting: Waiting<Item, Result>[] = [];
  readonly #busyKeys = new Set<string | undefined>();
  readonly #options: LaneOptions<Item, Result>;

  constructor(options: LaneOptions<Item, Result>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(item: Item, number: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, key: this.#options.keyOf?.(item), number, attempts: 0, resolve, reject });
    });
  }

  oldest(): number | undefined {
    return this.#waiting.find(({ key }) => !this.#busyKeys.has(key))?.number;
  }

  /** Writes one batch. Never rejects. */
  async run(): Promise<void> {
    const batch = this.#take();
    for (const { key } of batch) if (key !== undefined) this.#busyKeys.add(key);
    try {
      await this.#write(batch);
    } finally {
      for (const { key } of batch) this.#busyKeys.delete(key);
    }
  }

  #take(): Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = [];
    const rest: Waiting<Item, Result>[] = [];
    /** Keys that nothing more may be taken of: a later item must not overtake an earlier one. */
    const closed = new Set(this.#busyKeys);
    const most = this.#options.batchItems ?? BATCH_ITEMS;
    for (const waiting of this.#waiting) {
      if (batch.length >= most || closed.has(waiting.key)) {
        if (waiting.key !== undefined) closed.add(waiting.key);
        rest.push(waiting);
        continue;
      }
      batch.push(waiting);
      if (waiting.key !== undefined) closed.add(waiting.key);
    }
    this.#waiting = rest;
    return batch;
  }

  async #write(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      this.#settle(batch, await this.#results(batch));
    } catch (error) {
      if (batch.length > 1 && (!isDatabaseError(error) || POISON.has(error.code))) {
        const half = batch.length >> 1;
        await this.#write(batch.slice(0, half));
        await this.#write(batch.slice(half));
      } else for (const { reject } of batch) reject(error);
    }
  }

  #results(batch: readonly Waiting<Item, Result>[]): Promise<(Result | Error | typeof AGAIN)[]> {
    return retryConflicts(() => this.#options.write(batch.map(({ item }) => item)));
  }

  #settle(
    batch: readonly Waiting<Item, Result>[],
    results: readonly (Result | Error | typeof AGAIN)[],
  ): void {
    const again: Waiting<Item, Result>[] = [];
    batch.forEach((waiting, at) => {
      const result = results[at] as Result | Error | typeof AGAIN;
      if (result instanceof Error) waiting.reject(result);
      else if (result !== AGAIN) waiting.resolve(result);
      else if (++waiting.attempts < ATTEMPTS) again.push(waiting);
      else
        waiting.reject(new DatabaseError('conflict', `others kept changing the row (${this.#options.name})`));
    });
    if (again.length > 0) this.#waiting = [...again, ...this.#waiting];
  }
}
