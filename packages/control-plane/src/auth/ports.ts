import type { Role, ViewerMode } from '../domain/session.js';

export interface User {
  readonly id: string;
  readonly username: string;
  readonly role: Role;
}

export interface UserStore {
  find(id: string): Promise<User | undefined>;
  /** Names are compared without regard to case. */
  findByName(username: string): Promise<(User & { readonly passwordHash: string | undefined }) | undefined>;
  /** Whether there is an administrator who can log in. */
  hasAdmin(): Promise<boolean>;
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

/** Logged-in browsers. A login's secret is replaced with each use. */
export interface LoginStore {
  create(login: { id: string; userId: string; tokenHash: Uint8Array; lifetimeMs: number }): Promise<void>;
  /**
   * Replaces the secret.
   *
   * - `rotated`: it was the present one.
   * - `tolerated`: it was the one before, replaced no longer ago than `graceMs` by this same successor.
   * - `refused`: anything else. A secret that is older than that was stolen or copied: the login is deleted.
   */
  rotate(
    id: string,
    tokenHash: Uint8Array,
    nextHash: Uint8Array,
    graceMs: number,
  ): Promise<{ outcome: 'rotated' | 'tolerated'; user: User; expiresAt: Date } | { outcome: 'refused' }>;
  /** Deletes the login if the secret is its present or its last one. */
  delete(id: string, tokenHash: Uint8Array): Promise<void>;
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
