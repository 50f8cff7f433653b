import { randomUUID } from 'node:crypto';
import { AccessTokens } from '../../src/auth/access-tokens.js';
import { Logins } from '../../src/auth/logins.js';
import { Passwords } from '../../src/auth/passwords.js';
import type { LoginStore, User, UserStore } from '../../src/auth/ports.js';
import { LoginThrottle } from '../../src/auth/throttle.js';
import { foldUsername } from '../../src/auth/usernames.js';
import type { ControlPlaneEvent } from '../../src/index.js';

/** One password that is being checked; the test ends it. */
export interface Turn {
  readonly password: string;
  end(): void;
}

/**
 * Logging in with a hash function that takes as long as the test wants, a clock that the test moves, and users in memory
 * whose password is `right`.
 */
export class LoginDesk {
  now = 0;
  /** Passwords that are being checked now. */
  readonly turns: Turn[] = [];
  /** All that were, in order. */
  readonly served: string[] = [];
  readonly events: ControlPlaneEvent[] = [];
  readonly throttle = new LoginThrottle(() => this.now);
  readonly #users = new Map<string, string>();
  /** Whether the test ends each check; else it is over at once. */
  readonly #byHand: boolean;
  /** Whose login the next refresh finds. */
  #refreshed: User | undefined;
  findByName: UserStore['findByName'] = async (name) => {
    const folded = foldUsername(name);
    const id = this.#users.get(folded);
    return id === undefined ? undefined : { id, username: folded, role: 'user', passwordHash: 'right' };
  };
  readonly logins = new Logins({
    users: { findByName: (name: string) => this.findByName(name) } as unknown as UserStore,
    logins: {
      create: async () => undefined,
      rotate: async () => ({ outcome: 'rotated', user: this.#refreshed!, expiresAt: new Date(0), taken: 0 }),
    } as unknown as LoginStore,
    passwords: new Passwords({
      hash: async () => 'of nobody',
      verify: (stored, password) => this.#verify(stored, password),
    }),
    throttle: this.throttle,
    accessTokens: new AccessTokens('x'.repeat(32)),
    refreshKey: new Uint8Array(32),
    onEvent: (event) => this.events.push(event),
  });

  constructor(users: readonly string[], { byHand = false } = {}) {
    for (const name of users) this.#users.set(name, randomUUID());
    this.#byHand = byHand;
  }

  /** @returns `in`, or the code of the refusal */
  async logIn(name: string, password: string, address: string): Promise<string> {
    try {
      await this.logins.login(name, password, address);
      return 'in';
    } catch (error) {
      return String((error as { code?: unknown }).code ?? error);
    }
  }

  /** Refreshes a login of this user with the right cookie and secret. */
  async refresh(name: string, address: string): Promise<void> {
    this.#refreshed = await this.findByName(name);
    const both = `${randomUUID()}.${'x'.repeat(43)}`;
    await this.logins.refresh([both], both, address);
  }

  /** Ends checks in the order in which they began, until there are none. */
  async endAll(): Promise<void> {
    await settled();
    for (let turn = this.turns[0]; turn; turn = this.turns[0]) {
      turn.end();
      await settled();
    }
  }

  #verify(stored: string, password: string): Promise<boolean> {
    this.served.push(password);
    const isRight = password.startsWith(stored);
    if (!this.#byHand) return Promise.resolve(isRight);
    return new Promise((resolve) => {
      const turn = {
        password,
        end: () => {
          this.turns.splice(this.turns.indexOf(turn), 1);
          resolve(isRight);
        },
      };
      this.turns.push(turn);
    });
  }
}

/** All that follows from what has happened has happened: no promise waits for anything else here. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
