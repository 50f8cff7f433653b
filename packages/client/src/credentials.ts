import { abortable } from './abortable.js';
import { ApiError } from './errors.js';
import type { ResolvedClientOptions } from './options.js';
import type { Answer } from './transport.js';
import type { Login, User } from '@streamspace/api';

interface Held {
  readonly login: Login;
  /** On this machine's monotonic clock: the server's and this machine's wall clocks need not agree. */
  readonly renewAt: number;
  readonly expiresAt: number;
}

/**
 * The access token: in memory only, renewed by the refresh cookie.
 *
 * States: *nobody* (no token), *logged in* (a token), and in either a renewal may be running, one for all callers.
 * `adopt` leads to logged in and `drop` to nobody, and both make a running renewal's outcome void: who logs out while a
 * renewal is under way stays logged out. A renewal refused with 401, or by `login_replaced`, leads to
 * nobody; one that failed otherwise changes nothing.
 */
export class Credentials {
  readonly #options: ResolvedClientOptions;
  readonly #askForRenewal: () => Promise<Answer>;
  #held: Held | undefined;
  /** The renewal that callers may join. */
  #renewal: Promise<Login> | undefined;
  /** The renewal whose request is under way, even if its outcome is void by now. */
  #running: Promise<Login> | undefined;
  /** Grows with each `adopt` and `drop`. */
  #age = 0;

  constructor(options: ResolvedClientOptions, askForRenewal: () => Promise<Answer>) {
    this.#options = options;
    this.#askForRenewal = askForRenewal;
  }

  get user(): User | undefined {
    return this.#held?.login.user;
  }

  /** The access token, if there is one; it may have expired. */
  get accessToken(): string | undefined {
    return this.#held?.login.token;
  }

  /** Settles when no renewal is running, whatever became of it. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  /** Takes the token of a login, setup or refresh. */
  adopt(answer: Answer): Login {
    const login = answer.body as Login;
    const told = Date.parse(login.expires_at) - (answer.serverTime ?? Date.now());
    // Not above 0: the clocks disagree. Then only a 401 tells that it is time to renew.
    const life = told > 0 ? told : Number.POSITIVE_INFINITY;
    const now = performance.now();
    this.#age += 1;
    this.#renewal = undefined;
    this.#held = {
      login,
      renewAt: now + life - Math.min(this.#options.renewBeforeMs, life / 2),
      expiresAt: now + life,
    };
    this.#options.onSession(login);
    return login;
  }

  /** Forgets the token. */
  drop(): void {
    const had = this.#held !== undefined;
    this.#age += 1;
    this.#renewal = undefined;
    this.#held = undefined;
    if (had) this.#options.onSession(undefined);
  }

  /** A token to send now, renewed first where it has little life left or where there is none. */
  async token(signal: AbortSignal | undefined): Promise<string> {
    const held = this.#held;
    const now = performance.now();
    if (held && now < held.renewAt) return held.login.token;
    try {
      return (await this.renew(signal)).token;
    } catch (error) {
      // A renewal ahead of time may fail while the old token still serves.
      if (held && held === this.#held && now < held.expiresAt && !signal?.aborted) return held.login.token;
      throw error;
    }
  }

  /** A token other than `refused`, which the server did not take. */
  async replace(refused: string, signal: AbortSignal | undefined): Promise<string> {
    const current = this.#held?.login.token;
    if (current !== undefined && current !== refused) return current;
    return (await this.renew(signal)).token;
  }

  /** Renews, or joins the renewal that is running. The signal ends the waiting, not the renewal. */
  async renew(signal: AbortSignal | undefined): Promise<Login> {
    signal?.throwIfAborted();
    this.#renewal ??= this.#renewOnce();
    return await abortable(this.#renewal, signal);
  }

  #renewOnce(): Promise<Login> {
    const age = this.#age;
    const renewal = this.#options
      .exclusive(() => this.#askForRenewal())
      .then(
        (answer) => {
          // Somebody else logged in meanwhile, or out: this answer is of the past, and so is its token.
          if (age === this.#age) return this.adopt(answer);
          if (this.#held) return this.#held.login;
          throw new ApiError({
            code: 'logged_out',
            status: 0,
            title: 'Logged out',
            detail: 'Somebody logged out while the login was being renewed.',
            remedy: 'Log in.',
          });
        },
        (error: unknown) => {
          if (age === this.#age && isOver(error)) this.drop();
          throw error;
        },
      )
      .finally(() => {
        if (this.#renewal === renewal) this.#renewal = undefined;
        if (this.#running === renewal) this.#running = undefined;
      });
    // Whoever joined sees the failure; where everybody left by their signal, nobody has to.
    renewal.catch(() => undefined);
    this.#running = renewal;
    return renewal;
  }
}

/** Whether a failed renewal means that there is no login of this client any more. */
function isOver(error: unknown): boolean {
  const { status, code } = error as { status?: unknown; code?: unknown };
  return status === 401 || code === 'login_replaced';
}
