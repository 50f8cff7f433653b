import type { ControlPlaneEvent } from '../events.js';
import { Refusal } from '../domain/errors.js';
import type { Asker } from './hash-turns.js';
import type { LoggedIn, Logins } from './logins.js';
import type { Passwords } from './passwords.js';
import type { SetupStore, UserStore } from './ports.js';
import { hashToken, randomToken } from './secrets.js';

const TOKEN_LIFETIME_MS = 24 * 60 * 60_000;
/** Wherever the request comes from, its token is right: it waits in no line with strangers. */
const ASKER: Asker = { group: 'setup', isKnown: true };

export interface SetupOptions {
  users: UserStore;
  store: SetupStore;
  passwords: Passwords;
  logins: Logins;
  onEvent: (event: ControlPlaneEvent) => void;
}

/** The first administrator, made by whoever holds the one-time link that the first start prints. */
export class Setup {
  readonly #options: SetupOptions;

  constructor(options: SetupOptions) {
    this.#options = options;
  }

  async isRequired(): Promise<boolean> {
    return !(await this.#options.users.hasAdmin());
  }

  async issueLink(): Promise<string | undefined> {
    const token = randomToken();
    return (await this.#options.store.replaceToken(hashToken(token), TOKEN_LIFETIME_MS)) ? token : undefined;
  }

  /** @throws Refusal `setup_token_invalid`, `setup_done` */
  async createAdmin(token: string, username: string, password: string): Promise<LoggedIn> {
    const { store, passwords, logins, onEvent } = this.#options;
    const tokenHash = hashToken(token);
    // Before the slow hash: strangers without a token are not to cost anything.
    const verdict = await store.check(tokenHash);
    if (verdict !== 'ok') throw refusalOf(verdict);
    const passwordHash = await passwords.hash(password, ASKER);
    const user = await store.createAdmin(tokenHash, { username, passwordHash });
    if (typeof user === 'string') throw refusalOf(user);
    onEvent({ type: 'admin_created', username: user.username });
    return logins.start(user);
  }
}

function refusalOf(verdict: 'token_invalid' | 'setup_done'): Refusal {
  if (verdict === 'setup_done')
    return new Refusal('setup_done', 'There is an administrator already.', { remedy: 'Log in.' });
  return new Refusal(
    'setup_token_invalid',
    'This setup link was used, replaced by a newer one, or has expired.',
    {
      remedy: 'Start the control plane anew: it prints a new link.',
    },
  );
}
