import { randomUUID } from 'node:crypto';
import type { ControlPlaneEvent } from '../events.js';
import { Refusal } from '../domain/errors.js';
import { addressGroup } from './address-group.js';
import { notLoggedIn, type AccessTokens } from './access-tokens.js';
import type { Passwords } from './passwords.js';
import type { LoginStore, User, UserStore } from './ports.js';
import { RecentlyTold } from './recently-told.js';
import { hashToken, hmac, randomToken } from './secrets.js';
import type { Attempt, LoginThrottle, Wait } from './throttle.js';
import { foldUsername } from './usernames.js';

const LIFETIME_MS = 30 * 24 * 60 * 60_000;
/** Two tabs may use the same cookie at once, and an answer may get lost: the last secret works this long once more. */
const REUSE_GRACE_MS = 10_000;
/** Refresh cookies of one login that one request may bring; the rest is not looked at. */
const TOKENS_TRIED = 4;

/** What a client gets that has logged in. */
export interface LoggedIn {
  readonly user: User;
  readonly loginId: string;
  /** At the start of a login only: what pages keep and send with each refresh, `<login id>.<secret>`. */
  readonly loginSecret?: string;
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
  readonly #told = new RecentlyTold();

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** @throws Refusal `bad_credentials` (also for an unknown user), `too_many_attempts`, `busy` */
  async login(username: string, password: string, address: string): Promise<LoggedIn> {
    const { throttle, users, passwords, onEvent } = this.#options;
    const user = await users.findByName(username);
    const attempt: Attempt = {
      group: addressGroup(address),
      user: user?.id ?? nameKey(username),
      exists: user !== undefined,
    };
    const wait = throttle.wait(attempt);
    if (wait) {
      onEvent({ type: 'login_refused', username, code: 'too_many_attempts' });
      throw tooManyAttempts(wait);
    }
    const asker = { group: attempt.group, isKnown: throttle.isKnown(attempt) };
    const counted = throttle.attempted(attempt);
    let isRight: boolean;
    try {
      isRight = await passwords.verify(user?.passwordHash, password, asker);
    } catch (error) {
      // The password was not checked: this process was too busy.
      counted.withdraw();
      throw error;
    }
    if (!isRight || !user) {
      onEvent({ type: 'login_refused', username, code: 'bad_credentials' });
      throw new Refusal('bad_credentials', 'The user name or the password is wrong.');
    }
    counted.withdraw();
    throttle.succeeded(attempt);
    onEvent({ type: 'login', username: user.username });
    return this.start({ id: user.id, username: user.username, role: user.role });
  }

  /** Logs a user in whose right to it was established. */
  async start(user: User): Promise<LoggedIn> {
    const id = randomUUID();
    const token = randomToken();
    const secret = randomToken();
    await this.#options.logins.create({
      id,
      userId: user.id,
      tokenHash: hashToken(token),
      secretHash: hashToken(secret),
      lifetimeMs: LIFETIME_MS,
    });
    const refreshExpiresAt = new Date(Date.now() + LIFETIME_MS);
    return {
      ...this.#loggedIn(user, id, { refreshToken: `${id}.${token}`, refreshExpiresAt }),
      loginSecret: `${id}.${secret}`,
    };
  }

  /**
   * Exchanges a refresh token, which the browser keeps, and the login secret, which its pages keep, for an access token
   * and the next refresh token. Cookies know no ports: every server of the same host name can read and set the cookie,
   * so that the refresh token alone proves nothing and changes nothing.
   *
   * The next token follows from the last one, so both of two requests with the same token get the same successor, and
   * it does not matter whose answer arrives last.
   *
   * @param refreshTokens all cookies of that name: another server may have set one with a longer path
   * @param address where it comes from: the user is known there afterwards, also after a restart of this process
   * @throws Refusal `not_logged_in`
   */
  async refresh(
    refreshTokens: readonly string[],
    loginSecret: string | undefined,
    address: string,
  ): Promise<LoggedIn> {
    const { refreshKey, logins, throttle } = this.#options;
    const given = refreshTokens.flatMap((text) => parse(text) ?? []);
    if (!given[0]) throw notLoggedIn('There is no login in this browser.');
    const proof = parse(loginSecret);
    const id = proof?.id ?? given[0].id;
    const tokens = given
      .filter((one) => one.id === id)
      .slice(0, TOKENS_TRIED)
      .map(({ secret }) => {
        const next = Buffer.from(hmac(refreshKey, `${id}.${secret}`)).toString('base64url');
        return { hash: hashToken(secret), next, nextHash: hashToken(next) };
      });
    if (tokens.length === 0)
      throw notLoggedIn('The refresh cookie of this browser belongs to another login.');
    const secretHash = proof && hashToken(proof.secret);
    const result = await logins.rotate({ id, secretHash, tokens, graceMs: REUSE_GRACE_MS });
    if (result.outcome === 'secret_wrong') this.#secretWrong(id, result.user);
    if (result.outcome === 'refused' || result.outcome === 'secret_wrong')
      throw notLoggedIn('This login has ended, or the request lacks its secret.');
    throttle.remember({ group: addressGroup(address), user: result.user.id, exists: true });
    return this.#loggedIn(result.user, id, {
      refreshToken: `${id}.${tokens[result.taken]!.next}`,
      refreshExpiresAt: result.expiresAt,
    });
  }

  /**
   * Ends a login: the one of the access token, or the one of the login secret if a refresh token comes with it. A refresh
   * token alone ends nothing.
   *
   * @returns whether the refresh cookie is to be removed: not if it belongs to another login than the one that ended
   */
  async logout(by: {
    refreshTokens: readonly string[];
    loginSecret: string | undefined;
    accessToken: string | undefined;
  }): Promise<{ removesCookie: boolean }> {
    const { logins } = this.#options;
    const proof = parse(by.loginSecret);
    const given = by.refreshTokens.flatMap((text) => parse(text) ?? []);
    const sid = this.#sidOf(by.accessToken);
    if (sid !== undefined) await logins.delete(sid);
    if (proof && proof.id !== sid)
      await logins.delete(proof.id, {
        secretHash: hashToken(proof.secret),
        tokenHashes: given
          .filter(({ id }) => id === proof.id)
          .slice(0, TOKENS_TRIED)
          .map(({ secret }) => hashToken(secret)),
      });
    const ended = sid ?? proof?.id;
    return {
      removesCookie: ended === undefined || given.length === 0 || given.some(({ id }) => id === ended),
    };
  }

  /** An access token that is not valid ends nothing; logging out succeeds all the same. */
  #sidOf(accessToken: string | undefined): string | undefined {
    try {
      return accessToken === undefined ? undefined : this.#options.accessTokens.verify(accessToken).sid;
    } catch {
      return undefined;
    }
  }

  #secretWrong(loginId: string, user: User): void {
    if (this.#told.isNew(loginId))
      this.#options.onEvent({ type: 'refresh_refused', username: user.username, loginId });
  }

  #loggedIn(
    user: User,
    loginId: string,
    refresh: Pick<LoggedIn, 'refreshToken' | 'refreshExpiresAt'>,
  ): LoggedIn {
    const { token, expiresAt } = this.#options.accessTokens.issue(user, loginId);
    return { user, loginId, accessToken: token, expiresAt, ...refresh };
  }
}

const LOGIN_ID_AND_SECRET = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.([\w-]{43})$/;

function parse(text: string | undefined): { id: string; secret: string } | undefined {
  const match = text === undefined ? null : LOGIN_ID_AND_SECRET.exec(text);
  return match ? { id: match[1]!, secret: match[2]! } : undefined;
}

/** What an unknown name is counted by: as long for a long name as for a short one, and no name. */
const nameKey = (username: string): string =>
  Buffer.from(hashToken(foldUsername(username))).toString('base64url');

const TOO_MANY: Readonly<Record<Wait['reason'], string>> = {
  user_from_address: 'Too many wrong passwords for this user from this address.',
  address: 'Too many wrong passwords from this address.',
  user: 'Too many wrong passwords for this user.',
};

function tooManyAttempts({ seconds, reason }: Wait): Refusal {
  const time = seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
  return new Refusal('too_many_attempts', TOO_MANY[reason], {
    remedy: `Try again in ${time}.`,
    retryAfterSeconds: seconds,
  });
}
