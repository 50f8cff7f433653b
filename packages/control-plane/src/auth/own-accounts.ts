import type { IncomingMessage } from 'node:http';
import { Refusal } from '../domain/errors.js';
import type { Caller } from '../domain/session.js';
import { ExpiringMap } from './expiring-map.js';
import { checkIdentity, type Identity } from './identity.js';
import type { IdentityStore, User } from './ports.js';

/**
 * Says who sends a request; `undefined` or `null` without a login. The signal aborts after {@link ANSWER_MS}.
 */
export type Authenticate = (
  request: IncomingMessage,
  signal: AbortSignal,
) => Identity | null | undefined | Promise<Identity | null | undefined>;

/** How long the application may take to say who sends a request, in ms. */
export const ANSWER_MS = 10_000;
/** At most this many users are cached, each for this many ms. */
const KNOWN = 10_000;
const KNOWN_MS = 60_000;

export interface OwnAccountsOptions {
  readonly authenticate: Authenticate;
  readonly store: IdentityStore;
  /** For tests, in ms. @default 10_000 */
  readonly answerMs?: number;
  /** For tests: a clock in ms. @default performance.now */
  readonly now?: () => number;
}

/** The accounts of the application that the control plane is a part of. It is asked at each request. */
export class OwnAccounts {
  readonly #options: OwnAccountsOptions;
  /** The last written row of each identity. */
  readonly #known: ExpiringMap<{ readonly identity: Identity; readonly user: User }>;

  constructor(options: OwnAccountsOptions) {
    this.#options = options;
    const { now = () => performance.now() } = options;
    this.#known = new ExpiringMap({ limit: KNOWN, lifetimeMs: KNOWN_MS, now });
  }

  /**
   * The user who sends a request. One who is new appears among the users.
   *
   * @throws Refusal `not_logged_in`; `user_exists` where another user has the name; `busy` where the application does not
   *   answer in time; what the application throws
   */
  async callerOf(request: IncomingMessage): Promise<Caller> {
    const given = await this.#ask(request);
    if (given === undefined || given === null)
      throw new Refusal('not_logged_in', 'The application does not know who sends this request.', {
        remedy: 'Log in to the application.',
      });
    const { id, role } = await this.#userOf(checkIdentity(given));
    return { userId: id, role };
  }

  async #ask(request: IncomingMessage): Promise<unknown> {
    const { authenticate, answerMs = ANSWER_MS } = this.#options;
    const late = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const refusal = new Refusal('busy', 'The application did not say in time who sends this request.', {
          retryAfterSeconds: 2,
        });
        late.abort(refusal);
        reject(refusal);
      }, answerMs);
    });
    try {
      return await Promise.race([authenticate(request, late.signal), limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #userOf(identity: Identity): Promise<User> {
    const key = JSON.stringify([identity.issuer, identity.subject]);
    const known = this.#known.get(key);
    if (known?.identity.username === identity.username && known.identity.role === identity.role)
      return known.user;
    const user = await this.#options.store.put(identity);
    if (!user)
      throw new Refusal('user_exists', `The name ${identity.username} is that of another user.`, {
        remedy: 'Give one of the two another name.',
      });
    this.#known.set(key, { identity, user });
    return user;
  }
}
