import type { Role, ViewerMode } from '../domain/session.js';
import type { Identity } from './identity.js';

export interface User {
  readonly id: string;
  readonly username: string;
  readonly role: Role;
}

export interface UserStore {
  find(id: string): Promise<User | undefined>;
  /**
   * Names are compared as `foldUsername` has them. A name of an earlier version with other characters than ASCII is
   * also found by the database's own comparison without regard to case.
   */
  findByName(username: string): Promise<(User & { readonly passwordHash: string | undefined }) | undefined>;
  /** Whether there is an administrator who can log in. */
  hasAdmin(): Promise<boolean>;
}

/** Users whose accounts another application keeps. */
export interface IdentityStore {
  /**
   * The user of an identity, with the name and the role that it has now. A user is found by issuer and subject alone, and
   * added where there is none.
   *
   * A name that another user of the same issuer has is taken from that user, who gets the present one with the next
   * request: an issuer gives a name to one person at a time.
   *
   * @returns `undefined` where a local user or one of another issuer has the name; nothing changes then
   */
  put(identity: Identity): Promise<User | undefined>;
}

export interface SetupStore {
  /** Replaces the tokens that there are; `false` when there is an administrator already. */
  replaceToken(hash: Uint8Array, lifetimeMs: number): Promise<boolean>;
  /**
   * Spends the token and makes the first administrator, both or neither.
   *
   * @returns the user, or which of the two was in the way
   * @throws Refusal `user_exists`: the name is that of somebody who can log in
   */
  createAdmin(
    tokenHash: Uint8Array,
    user: { username: string; passwordHash: string },
  ): Promise<User | 'token_invalid' | 'setup_done'>;
  /** Whether the token would be taken now. */
  check(tokenHash: Uint8Array): Promise<'ok' | 'token_invalid' | 'setup_done'>;
}

/** A request for a new access token. */
export interface RefreshAttempt {
  /** Id of the login. */
  readonly id: string;
  /** Of the login secret in the request; `undefined` where there was none. */
  readonly secretHash: Uint8Array | undefined;
  /** The refresh tokens of this login in the request, each with its successor. */
  readonly tokens: readonly { readonly hash: Uint8Array; readonly nextHash: Uint8Array }[];
  /** How long the last token is tolerated after it was replaced. */
  readonly graceMs: number;
}

export type RefreshOutcome =
  | {
      readonly outcome: 'rotated' | 'tolerated';
      readonly user: User;
      readonly expiresAt: Date;
      /** Index in `tokens` of the one that was taken. */
      readonly taken: number;
    }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'secret_wrong'; readonly user: User };

/**
 * Logged-in browsers. Each login has two secrets: the refresh token, which is replaced with each use, and the login
 * secret, which never changes.
 */
export interface LoginStore {
  create(login: {
    id: string;
    userId: string;
    tokenHash: Uint8Array;
    secretHash: Uint8Array;
    lifetimeMs: number;
  }): Promise<void>;
  /**
   * Replaces the refresh token, in one transaction. The login secret is checked first: while it is wrong or missing,
   * nothing changes, whatever the tokens are. A login without a stored secret has no right one.
   *
   * | secret | token                                                           | outcome                    |
   * | ------ | --------------------------------------------------------------- | -------------------------- |
   * | right  | the present one                                                 | `rotated`                  |
   * | right  | the one before, replaced within `graceMs` by this same successor | `tolerated`               |
   * | right  | others only: one was stolen or copied                           | `refused`, login deleted   |
   * | right  | none                                                            | `refused`                  |
   * | wrong  | the present one, or a tolerated one                             | `secret_wrong`             |
   * | wrong  | anything else                                                   | `refused`                  |
   */
  rotate(attempt: RefreshAttempt): Promise<RefreshOutcome>;
  /**
   * Deletes a login.
   *
   * @param proof where it is given, only if the secret is right and one of the tokens is the present or the last one
   */
  delete(
    id: string,
    proof?: { readonly secretHash: Uint8Array; readonly tokenHashes: readonly Uint8Array[] },
  ): Promise<void>;
  deleteExpired(): Promise<void>;
}

export interface Ticket {
  readonly sessionId: string;
  readonly userId: string;
  readonly mode: ViewerMode;
}

export interface TicketStore {
  create(hash: Uint8Array, ticket: Ticket, lifetimeMs: number): Promise<Date>;
  /** Deletes the ticket and returns it, if it had not expired. */
  take(hash: Uint8Array): Promise<Ticket | undefined>;
  deleteExpired(): Promise<void>;
}

export interface AgentKeyStore {
  /** The keyed hash of the agent's key; `undefined` when it has none or is not known. */
  keyHash(agentId: string): Promise<Uint8Array | undefined>;
  /** Adds the agent where it is new. The key that it had is void. */
  setKeyHash(agentId: string, hash: Uint8Array): Promise<void>;
}
