import { randomUUID } from 'node:crypto';
import type { ControlPlaneEvent } from '../events.js';
import { Refusal } from '../domain/errors.js';
import { notLoggedIn, type AccessTokens } from './access-tokens.js';
import type { Passwords } from './passwords.js';
import type { LoginStore, User, UserStore } from './ports.js';
import { hashToken, hmac, randomToken } from './secrets.js';
import type { LoginThrottle } from './throttle.js';

const LIFETIME_MS = 30 * 24 * 60 * 60_000;
/** Two tabs may use the same cookie at once, and an answer may get lost: the last secret works this long once more. */
const REUSE_GRACE_MS = 10_000;

/** What a client gets that has logged in. */
export interface LoggedIn {
  readonly user: User;
  readonly accessToken: string;
  readonly expiresAt: Date;
  /** For the cookie: `<login id>.<secret>`. */
  readonly refreshToken: string;
  readonly refreshExpiresAt: Date;
}

export interface LoginsOptions {
  users: UserStore;
  logins: LoginStore;
  passwords: Passwords;
  throttle: LoginThrottle;
  accessTokens: AccessTokens;
  /** Derives each refresh secret from the one before. */
  refreshKey: Uint8Array;
  onEvent: (event: ControlPlaneEvent) => void;
}

/** Logging in, staying logged in, logging out. */
export class Logins {
  readonly #options: LoginsOptions;

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** @throws Refusal `bad_credentials` (also for an unknown user), `too_many_attempts`, `busy` */
  async login(username: string, password: string, address: string): Promise<LoggedIn> {
    const { throttle, users, passwords, onEvent } = this.#options;
    const wait = throttle.waitSeconds(username, address);
    if (wait > 0) {
      onEvent({ type: 'login_refused', username, code: 'too_many_attempts' });
      throw new Refusal('too_many_attempts', 'Too many wrong passwords for this user from this address.', {
        remedy: `Try again in ${Math.ceil(wait / 60)} min.`,
        retryAfterSeconds: wait,
      });
    }
    throttle.attempted(username, address);
    let user: Awaited<ReturnType<UserStore['findByName']>>;
    let isRight: boolean;
    try {
      user = await users.findByName(username);
      isRight = await passwords.verify(user?.passwordHash, password);
    } catch (error) {
      // Nobody has found out anything: the database was away, or this process too busy.
      throttle.withdrawn(username, address);
      throw error;
    }
    if (!isRight || !user) {
      onEvent({ type: 'login_refused', username, code: 'bad_credentials' });
      throw new Refusal('bad_credentials', 'The user name or the password is wrong.');
    }
    throttle.succeeded(username, address);
    onEvent({ type: 'login', username: user.username });
    return this.start({ id: user.id, username: user.username, role: user.role });
  }

  /** Logs a user in whose right to it was established. */
  async start(user: User): Promise<LoggedIn> {
    const id = randomUUID();
    const secret = randomToken();
    await this.#options.logins.create({
      id,
      userId: user.id,
      tokenHash: hashToken(secret),
      lifetimeMs: LIFETIME_MS,
    });
    return this.#loggedIn(user, `${id}.${secret}`, new Date(Date.now() + LIFETIME_MS));
  }

  /**
   * Exchanges a refresh token for an access token and the next refresh token.
   *
   * The next secret follows from the last one, so both of two requests with the same token get the same successor, and
   * it does not matter whose answer arrives last.
   *
   * @throws Refusal `not_logged_in`
   */
  async refresh(refreshToken: string | undefined): Promise<LoggedIn> {
    const { id, secret } = parse(refreshToken) ?? {};
    if (!id || !secret) throw notLoggedIn('There is no login in this browser.');
    const next = Buffer.from(hmac(this.#options.refreshKey, `${id}.${secret}`)).toString('base64url');
    const result = await this.#options.logins.rotate(id, hashToken(secret), hashToken(next), REUSE_GRACE_MS);
    if (result.outcome === 'refused') throw notLoggedIn('This login has ended.');
    return this.#loggedIn(result.user, `${id}.${next}`, result.expiresAt);
  }

  async logout(refreshToken: string | undefined): Promise<void> {
    const { id, secret } = parse(refreshToken) ?? {};
    if (id && secret) await this.#options.logins.delete(id, hashToken(secret));
  }

  #loggedIn(user: User, refreshToken: string, refreshExpiresAt: Date): LoggedIn {
    const { token, expiresAt } = this.#options.accessTokens.issue(user);
    return { user, accessToken: token, expiresAt, refreshToken, refreshExpiresAt };
  }
}

const REFRESH_TOKEN = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.([\w-]{43})$/;

function parse(refreshToken: string | undefined): { id?: string; secret?: string } | undefined {
  const match = refreshToken === undefined ? null : REFRESH_TOKEN.exec(refreshToken);
  return match ? { id: match[1]!, secret: match[2]! } : undefined;
}
