import { hash, verify } from '@node-rs/argon2';
import { HashTurns, type Asker } from './hash-turns.js';
import { randomToken } from './secrets.js';

/** Argon2id (the library's default algorithm) with 19 MiB, two passes, one lane: OWASP's first choice. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** The slow functions. */
export interface Hashing {
  hash(password: string): Promise<string>;
  verify(stored: string, password: string): Promise<boolean>;
}

const ARGON2: Hashing = { hash: (password) => hash(password, PARAMETERS), verify };

/** Hashes and checks passwords, a bounded number at once, in fair turns. */
export class Passwords {
  readonly #hashing: Hashing;
  readonly #turns = new HashTurns();
  /** Of a password that nobody has, so that an unknown user takes as long as a wrong password. */
  readonly #nobodys: Promise<string>;

  constructor(hashing: Hashing = ARGON2) {
    this.#hashing = hashing;
    this.#nobodys = hashing.hash(randomToken());
    // Seen where it is awaited.
    this.#nobodys.catch(() => undefined);
  }

  /** @throws Refusal `busy` */
  hash(password: string, asker: Asker): Promise<string> {
    return this.#turns.take(asker, () => this.#hashing.hash(password));
  }

  /**
   * `undefined` for a user who does not exist: takes as long, and is false.
   *
   * @throws Refusal `busy`
   */
  async verify(stored: string | undefined, password: string, asker: Asker): Promise<boolean> {
    const nobodys = await this.#nobodys;
    const matches = await this.#turns.take(asker, () => this.#hashing.verify(stored ?? nobodys, password));
    return matches && stored !== undefined;
  }
}
