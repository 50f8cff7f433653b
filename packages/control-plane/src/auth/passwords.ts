import { hash, verify } from '@node-rs/argon2';
import { Refusal } from '../domain/errors.js';
import { randomToken } from './secrets.js';

/** Argon2id (the library's default algorithm) with 19 MiB, two passes, one lane: OWASP's first choice. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Hashes computed at once: each takes 19 MiB and a thread for tens of milliseconds. */
const CONCURRENCY = 2;
/** Callers that may wait for their turn; more are refused as `busy`. */
const WAITING = 64;

/** Hashes and checks passwords, a bounded number at once. */
export class Passwords {
  /** Of a password that nobody has, so that an unknown user takes as long as a wrong password. */
  readonly #nobodys: Promise<string>;
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor() {
    this.#nobodys = hash(randomToken(), PARAMETERS);
    // Seen where it is awaited.
    this.#nobodys.catch(() => undefined);
  }

  hash(password: string): Promise<string> {
    return this.#bounded(() => hash(password, PARAMETERS));
  }

  /** `undefined` for a user who does not exist: takes as long, and is false. */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    const against = stored ?? (await this.#nobodys);
    const matches = await this.#bounded(() => verify(against, password));
    return matches && stored !== undefined;
  }

  async #bounded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= CONCURRENCY) {
      if (this.#queue.length >= WAITING)
        throw new Refusal('busy', `${WAITING} others are waiting to log in.`, { retryAfterSeconds: 2 });
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
