import { ApiError } from './errors.js';
import type { LoginStore, StoredLogin } from './login-store.js';
import type { Answer } from './transport.js';
import type { Login } from '@streamspace/api';

/** Without a store: what is kept ends with the client. */
const NO_STORE: LoginStore = { load: () => undefined, save: () => undefined, remove: () => undefined };

/**
 * The login that this client acts for, and the secret that goes with its refreshes.
 *
 * Clients of one browser share the cookie and the store, so that a login in another tab replaces the login of this one.
 * States: *none*, *own* (a login of this client, or one that it took from the store) and, as seen at each refresh,
 *
 * | own  | store              | the refresh                                                       |
 * | ---- | ------------------ | ----------------------------------------------------------------- |
 * | none | nothing            | goes without a secret, and is refused                             |
 * | none | a login            | acts for it                                                       |
 * | own  | nothing, or own    | acts for own                                                      |
 * | own  | another, same user | acts for that one                                                 |
 * | own  | of another user    | fails with `login_replaced`: this client never becomes that user  |
 *
 * A login that is refused with 401 is forgotten here and in the store. If the store has another one by then, that one is
 * tried, once.
 */
export class LoginSecrets {
  readonly #store: LoginStore;
  #own: StoredLogin | undefined;
  /** Grows with each login that starts or ends: what a refresh brings of before is void. */
  #age = 0;

  constructor(store: LoginStore = NO_STORE) {
    this.#store = store;
  }

  /** Keeps what the answer to a login says. A server of an earlier release sends no secret, and asks for none. */
  async keep(login: Login): Promise<void> {
    this.#age += 1;
    const { login_id: id, login_secret: secret, user } = login;
    this.#own = id !== undefined && secret !== undefined ? { id, secret, user } : undefined;
    if (this.#own) await this.#quietly(() => this.#store.save(this.#own!));
  }

  /** Forgets the login that this client acts for, and returns it. */
  async end(): Promise<StoredLogin | undefined> {
    this.#age += 1;
    const login = this.#own ?? (await this.#load());
    this.#own = undefined;
    if (login) await this.#quietly(() => this.#store.remove(login.id));
    return login;
  }

  /**
   * Refreshes the login that this client acts for.
   *
   * @param send asks the server, with that secret
   * @throws ApiError `login_replaced`
   */
  async refresh(send: (secret: string | undefined) => Promise<Answer>): Promise<Answer> {
    const age = this.#age;
    let login = await this.#choose();
    for (let isLast = login === undefined; ; isLast = true) {
      try {
        const answer = await send(login?.secret);
        if (age === this.#age) this.#own = login;
        return answer;
      } catch (error) {
        if (!login || (error as { status?: unknown }).status !== 401) throw error;
        const now = await this.#choose();
        if (!isLast && now && now.id !== login.id) {
          login = now;
          continue;
        }
        await this.#quietly(() => this.#store.remove(login!.id));
        if (age === this.#age) this.#own = undefined;
        throw error;
      }
    }
  }

  async #choose(): Promise<StoredLogin | undefined> {
    const own = this.#own;
    const stored = await this.#load();
    if (!own || !stored) return own ?? stored;
    if (stored.user.id === own.user.id) return stored;
    throw new ApiError({
      code: 'login_replaced',
      status: 0,
      title: 'Login replaced',
      detail: `${stored.user.username} has logged in in this browser in place of ${own.user.username}.`,
      remedy: `Load the page again to go on as ${stored.user.username}, or log in.`,
    });
  }

  async #load(): Promise<StoredLogin | undefined> {
    return await this.#quietly(() => this.#store.load());
  }

  /** What a store throws must not end a login. */
  async #quietly<T>(use: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await use();
    } catch {
      return undefined;
    }
  }
}
