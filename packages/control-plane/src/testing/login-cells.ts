import assert from 'node:assert/strict';
import { AccessTokens } from '../auth/access-tokens.js';
import { LOGIN_MACHINE, type LoginEvent, type LoginOutcome, type LoginState } from '../auth/login-machine.js';
import { Logins, type LoggedIn } from '../auth/logins.js';
import { Passwords } from '../auth/passwords.js';
import { hashToken, randomToken } from '../auth/secrets.js';
import { LoginThrottle } from '../auth/throttle.js';
import type { Row } from '../stores/database.js';
import type { Fixtures } from './fixtures.js';

const STATES = Object.keys(LOGIN_MACHINE.states) as LoginState[];
const EVENTS = Object.keys(LOGIN_MACHINE.events) as LoginEvent[];
const ADDRESS = '192.0.2.1';

interface LoginRow extends Row {
  readonly token_hash: Uint8Array;
  readonly has_secret: boolean;
  readonly is_rotated: boolean;
  readonly is_within_grace: boolean;
  readonly is_over: boolean;
}

/** What the browser has of a login. Cookies and secrets are `<login id>.<secret>`. */
interface Browser {
  readonly id: string;
  readonly secret: string;
  readonly accessToken: string;
  readonly present: string;
  /** The token before; one that never was where there was none. */
  readonly last: string;
}

class LoginStage {
  readonly #reported = new Set<string>();
  readonly #logins: Logins;

  constructor(
    private readonly on: Fixtures,
    private readonly user: { id: string; username: string },
  ) {
    this.#logins = new Logins({
      users: on.users,
      logins: on.logins,
      passwords: new Passwords({ hash: async () => 'none', verify: async () => false }),
      throttle: new LoginThrottle(),
      accessTokens: new AccessTokens('x'.repeat(32)),
      refreshKey: new Uint8Array(32),
      onEvent: (event) => {
        if (event.type === 'refresh_refused') this.#reported.add(event.loginId);
      },
    });
  }

  async bring(state: LoginState): Promise<Browser> {
    const { on, user } = this;
    const started = await this.#logins.start({ ...user, role: 'user' });
    const { loginId: id, accessToken } = started;
    const first = started.refreshToken;
    const secret = started.loginSecret!;
    let [present, last] = [first, `${id}.${randomToken()}`];
    if (state === 'rotated' || state === 'settled')
      [present, last] = [(await this.#logins.refresh([first], secret, ADDRESS)).refreshToken, first];
    if (state === 'settled') await this.#set(id, `rotated_at = now() - interval '1 minute'`);
    if (state === 'without_secret') await this.#set(id, 'secret_hash = null');
    if (state === 'expired') await this.#set(id, `expires_at = now() - interval '1 minute'`);
    if (state === 'ended') await on.logins.delete(id);
    return { id, secret, accessToken, present, last };
  }

  async #set(id: string, change: string): Promise<void> {
    await this.on.database.query(`update logins set ${change} where id = $1`, [id]);
  }

  async stateOf(id: string): Promise<{ state: LoginState; tokenHash?: Uint8Array }> {
    const { rows } = await this.on.database.query<LoginRow>(
      `select token_hash, secret_hash is not null as has_secret, previous_hash is not null as is_rotated,
              rotated_at > now() - interval '10 seconds' as is_within_grace, expires_at <= now() as is_over
         from logins where id = $1`,
      [id],
    );
    const row = rows[0];
    if (!row) return { state: 'ended' };
    const named = (state: LoginState) => ({ state, tokenHash: row.token_hash });
    if (row.is_over) return named('expired');
    if (!row.has_secret) return named('without_secret');
    if (!row.is_rotated) return named('fresh');
    return named(row.is_within_grace ? 'rotated' : 'settled');
  }

  /** Lets the event happen. @returns what the caller got: the code of a refusal, the tokens, or nothing */
  async fire(event: LoginEvent, browser: Browser): Promise<string | LoggedIn | undefined> {
    const { id, secret, present, last, accessToken } = browser;
    const unknown = `${id}.${randomToken()}`;
    const wrong = `${id}.${randomToken()}`;
    const refresh = async (tokens: string[], loginSecret: string | undefined) => {
      try {
        return await this.#logins.refresh(tokens, loginSecret, ADDRESS);
      } catch (error) {
        return String((error as { code?: unknown }).code ?? error);
      }
    };
    /** With a wrong secret, and with none: the second gives what the first gave. */
    const refreshWithoutSecret = async (tokens: string[]) => {
      const withWrong = await refresh(tokens, wrong);
      assert.equal(await refresh(tokens, undefined), withWrong);
      return withWrong;
    };
    const logOut = async (refreshTokens: string[], loginSecret?: string, bearer?: string) => {
      await this.#logins.logout({ refreshTokens, loginSecret, accessToken: bearer });
      return undefined;
    };
    const fire: Record<LoginEvent, () => Promise<string | LoggedIn | undefined>> = {
      refresh_present: () => refresh([present], secret),
      refresh_last: () => refresh([last], secret),
      refresh_unknown: () => refresh([unknown], secret),
      refresh_without_token: () => refresh([], secret),
      refresh_present_without_secret: () => refreshWithoutSecret([present]),
      refresh_last_without_secret: () => refreshWithoutSecret([last]),
      refresh_unknown_without_secret: () => refreshWithoutSecret([unknown]),
      log_out_by_access_token: () => logOut([], undefined, accessToken),
      log_out_present: () => logOut([present], secret),
      log_out_last: () => logOut([last], secret),
      log_out_unknown: () => logOut([unknown], secret),
      log_out_without_token: () => logOut([], secret),
      log_out_without_secret: async () => {
        await logOut([present], wrong);
        return logOut([present]);
      },
      grace_passes: async () => {
        await this.#set(id, `rotated_at = rotated_at - interval '1 minute'`);
        return undefined;
      },
      lifetime_passes: async () => {
        await this.#set(id, `expires_at = now() - interval '1 minute'`);
        return undefined;
      },
      clean_up: async () => {
        await this.on.logins.deleteExpired();
        return undefined;
      },
    };
    return fire[event]();
  }

  wasReported(id: string): boolean {
    return this.#reported.has(id);
  }
}

/** What the caller got, in the words of the table. The refresh token that it got must be the stored one. */
function answered(answer: string | LoggedIn | undefined, tokenHash: Uint8Array | undefined): string[] {
  if (answer === undefined) return [];
  if (typeof answer === 'string') return [answer === 'not_logged_in' ? 'refused' : answer];
  const [, secret] = answer.refreshToken.split('.');
  const isStored = tokenHash !== undefined && Buffer.compare(hashToken(secret!), tokenHash) === 0;
  return [isStored ? 'granted' : 'granted a token that is not the stored one'];
}

/** Drives logins in the database through every cell of the table. */
export async function driveLoginCells(on: Fixtures): Promise<void> {
  const stage = new LoginStage(on, await on.addUser());
  const deviations: string[] = [];
  const drive = async (state: LoginState, event: LoginEvent): Promise<void> => {
    const browser = await stage.bring(state);
    assert.equal((await stage.stateOf(browser.id)).state, state);
    const answer = await stage.fire(event, browser);
    const after = await stage.stateOf(browser.id);
    const outcome: LoginOutcome = LOGIN_MACHINE.table[state][event];
    const seen = [
      after.state,
      ...answered(answer, after.tokenHash),
      ...(stage.wasReported(browser.id) ? ['reported'] : []),
    ].join(' ');
    const expected = [outcome.to, ...(outcome.does ?? [])].join(' ');
    if (seen !== expected) deviations.push(`${event} of one that is ${state}: ${seen}, expected ${expected}`);
  };
  // The clean-up deletes what is expired, of other cells too.
  const [cleanUp, others]: [LoginEvent, LoginEvent[]] = ['clean_up', EVENTS.filter((e) => e !== 'clean_up')];
  for (const event of others) await Promise.all(STATES.map((state) => drive(state, event)));
  for (const state of STATES) await drive(state, cleanUp);
  assert.deepEqual(deviations, []);
}
