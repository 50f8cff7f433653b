import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import promises from 'node:timers/promises';

/** A process of the simulation. What it scheduled ends with it; what it waits for never comes. */
export class SimProcess {
  #alive = true;

  constructor(readonly name: string) {}

  get alive(): boolean {
    return this.#alive;
  }

  kill(): void {
    this.#alive = false;
  }
}

interface Task {
  at: number;
  /** Order among tasks of the same time. */
  order: number;
  readonly owner: SimProcess | undefined;
  readonly run: () => void;
  readonly everyMs: number | undefined;
  cancelled: boolean;
}

/** Stands in for a Node timer. */
class FakeTimer {
  constructor(readonly task: Task) {}
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

/** One for all clocks: each of them costs something with every promise that is made, for as long as this process lives. */
const owners = new AsyncLocalStorage<SimProcess | undefined>();

const START = 1_750_000_000_000;
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  wait: promises.setTimeout,
  dateNow: Date.now.bind(Date),
  performanceNow: performance.now.bind(performance),
  random: Math.random.bind(Math),
};

/** How long something really took, while the clock is another one. */
export const realNow = real.performanceNow;

/**
 * A clock that jumps from one timer to the next. While it is installed, `setTimeout` (that of
 * `node:timers/promises` too), `setInterval`, `Date.now`, `performance.now` and `Math.random` of this process are its
 * own, so the code that is simulated runs as it is.
 *
 * A task belongs to the simulated process that scheduled it, and is dropped when that has died.
 */
export class VirtualClock implements Disposable {
  #now = 0;
  #order = 0;
  /** A binary heap, the next task first. */
  readonly #tasks: Task[] = [];

  constructor(random: () => number) {
    const set =
      (repeat: boolean) =>
      (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): FakeTimer => {
        const delay = Number.isFinite(ms) ? Math.max(1, ms) : 1;
        const run = (): void => callback(...args);
        return new FakeTimer(this.#add(delay, run, owners.getStore(), repeat ? delay : undefined));
      };
    const clear =
      (otherwise: (timer: NodeJS.Timeout) => void) =>
      (timer: unknown): void => {
        if (timer instanceof FakeTimer) timer.task.cancelled = true;
        else if (timer !== undefined && timer !== null) otherwise(timer as NodeJS.Timeout);
      };
    Object.assign(globalThis, {
      setTimeout: set(false),
      setInterval: set(true),
      clearTimeout: clear(real.clearTimeout),
      clearInterval: clear(real.clearInterval),
    });
    promises.setTimeout = wait as typeof promises.setTimeout;
    syncBuiltinESMExports();
    Date.now = () => START + Math.floor(this.#now);
    performance.now = () => this.#now;
    Math.random = random;
  }

  /** ms since the start. */
  get now(): number {
    return this.#now;
  }

  /** Runs as the given process: what it schedules and waits for is its own. */
  as<T>(owner: SimProcess | undefined, work: () => T): T {
    return owners.run(owner, work);
  }

  get current(): SimProcess | undefined {
    return owners.getStore();
  }

  /** Schedules for nobody: it happens whoever dies. */
  after(ms: number, work: () => void): void {
    this.#add(ms, work, undefined, undefined);
  }

  /** Resolves in `ms`, for the process that waits; never, when that has died. */
  sleep(ms: number): Promise<void> {
    const owner = owners.getStore();
    return new Promise((resolve) => this.#add(ms, resolve, owner, undefined));
  }

  /** Lets time pass until `done` says so, nothing is left to happen, or `limitMs` is reached. */
  async run(done: () => boolean, limitMs: number): Promise<void> {
    for (;;) {
      // Everything that promises and streams do by themselves comes before.
      await new Promise<void>((resolve) => void real.setImmediate(() => resolve()));
      if (done()) return;
      const task = this.#next();
      if (!task) return;
      if (task.at > limitMs) return;
      this.#now = Math.max(this.#now, task.at);
      if (task.everyMs !== undefined) this.#push(Object.assign(task, { at: this.#now + task.everyMs }));
      owners.run(task.owner, task.run);
    }
  }

  #add(ms: number, run: () => void, owner: SimProcess | undefined, everyMs: number | undefined): Task {
    const task = { at: this.#now + ms, order: 0, owner, run, everyMs, cancelled: false };
    this.#push(task);
    return task;
  }

  #push(task: Task): void {
    task.order = ++this.#order;
    const tasks = this.#tasks;
    let index = tasks.push(task) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(task, tasks[parent]!)) break;
      tasks[index] = tasks[parent]!;
      index = parent;
    }
    tasks[index] = task;
  }

  #next(): Task | undefined {
    for (;;) {
      const first = this.#tasks[0];
      if (!first) return undefined;
      this.#removeFirst();
      if (!first.cancelled && first.owner?.alive !== false) return first;
    }
  }

  #removeFirst(): void {
    const tasks = this.#tasks;
    const moved = tasks.pop()!;
    if (tasks.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= tasks.length) break;
      if (child + 1 < tasks.length && before(tasks[child + 1]!, tasks[child]!)) child += 1;
      if (!before(tasks[child]!, moved)) break;
      tasks[index] = tasks[child]!;
      index = child;
    }
    tasks[index] = moved;
  }

  [Symbol.dispose](): void {
    const { setTimeout, clearTimeout, setInterval, clearInterval } = real;
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
    promises.setTimeout = real.wait;
    syncBuiltinESMExports();
    Date.now = real.dateNow;
    performance.now = real.performanceNow;
    Math.random = real.random;
  }
}

const before = (a: Task, b: Task): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** As in `node:timers/promises`, on whatever clock is installed. */
function wait<T>(ms = 0, value?: T, { signal }: { signal?: AbortSignal } = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(
        Object.assign(new Error('The operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR' }),
      );
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve(value as T);
    }, ms);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
