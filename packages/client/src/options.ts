import { defaultStore } from './default-store.js';
import { ApiError, tokenUnavailable } from './errors.js';
import type { LoginStore } from './login-store.js';
import type { Login } from '@streamspace/api';

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** Where the control plane is: `https://desktops.example.com`, or with the path that it is mounted under. */
  readonly baseUrl: string | URL;
  /** Carries the requests. @default the global `fetch` */
  readonly fetch?: typeof fetch;
  /**
   * The token for `Authorization: Bearer …`, where another application keeps the accounts (option `authenticate` of
   * `createControlPlane`): asked for at each call, and once more where the server answers 401. With an empty string the
   * header is not sent: for example, when the application's cookies identify the user. Calls fail with `token_unavailable`
   * where the function fails, or does not answer within `timeoutMs`. `setup`, `login`, `refresh` and `logout` answer
   * `not_found` then.
   * @default the tokens of `login`, `setup.complete` and `refresh`
   */
  readonly token?: string | (() => string | Promise<string>);
  /**
   * Told whenever somebody is logged in or renewed (the login), and when nobody is any more (`undefined`):
   * after `logout`, and when the server refuses to renew. What it throws is dropped.
   */
  readonly onSession?: (login: Login | undefined) => void;
  /**
   * Longest wait for a whole answer, in milliseconds. Past it the call fails with code `unreachable`.
   * @default 30000
   */
  readonly timeoutMs?: number;
  /**
   * Renew the access token when it has less than this left to live, in milliseconds (never more than half of its life).
   * @default 60000
   */
  readonly renewBeforeMs?: number;
  /**
   * Runs a renewal, or a login, while no other holder of the same refresh cookie does. Browser tabs share that cookie, it
   * can be used once, and the answer that comes last sets it: pass
   * `(run) => navigator.locks.request('streamspace-renewal', run)` there. @default run at once
   */
  readonly exclusive?: <T>(run: () => Promise<T>) => Promise<T>;
  /**
   * Keeps the login's secret where the client ends before the login does.
   * @default in a page its `localStorage`, as by `webStorageLogins`; elsewhere in memory
   */
  readonly store?: LoginStore;
}

export interface ResolvedClientOptions {
  /** Ends in a slash, so that relative paths resolve under it. */
  readonly baseUrl: URL;
  readonly fetch: typeof fetch;
  readonly onSession: (login: Login | undefined) => void;
  readonly timeoutMs: number;
  readonly renewBeforeMs: number;
  readonly exclusive: <T>(run: () => Promise<T>) => Promise<T>;
  readonly store: LoginStore | undefined;
  readonly token: (() => Promise<string>) | undefined;
}

function invalid(detail: string): ApiError {
  return new ApiError({ code: 'invalid_option', status: 0, title: 'Invalid option', detail });
}

function positive(name: string, value: number | undefined, fallback: number): number {
  const number = value ?? fallback;
  if (!(Number.isFinite(number) && number > 0)) {
    throw invalid(`${name} is ${number}; it must be a number of milliseconds above 0.`);
  }
  return number;
}

/** Fills in the defaults and refuses what cannot work. */
export function resolveClientOptions(options: ClientOptions): ResolvedClientOptions {
  let baseUrl: URL;
  try {
    baseUrl = new URL(options.baseUrl);
  } catch (cause) {
    throw new ApiError(
      {
        code: 'invalid_option',
        status: 0,
        title: 'Invalid option',
        detail: `baseUrl is "${String(options.baseUrl)}"; it must be an absolute http: or https: address.`,
      },
      { cause },
    );
  }
  if (baseUrl.protocol !== 'http:' && baseUrl.protocol !== 'https:') {
    throw invalid(`baseUrl has the scheme "${baseUrl.protocol}"; allowed are http: and https:.`);
  }
  baseUrl.search = '';
  baseUrl.hash = '';
  if (!baseUrl.pathname.endsWith('/')) baseUrl.pathname += '/';
  const { onSession } = options;
  const timeoutMs = positive('timeoutMs', options.timeoutMs, 30_000);
  return {
    baseUrl,
    // Called as a plain function: browsers refuse a `fetch` that is called on another object.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    onSession: (login) => {
      try {
        onSession?.(login);
      } catch {
        // The caller's own trouble; a login must not fail over it.
      }
    },
    timeoutMs,
    renewBeforeMs: positive('renewBeforeMs', options.renewBeforeMs, 60_000),
    exclusive: options.exclusive ?? ((run) => run()),
    store: options.store ?? defaultStore(baseUrl),
    token: tokenOf(options.token, timeoutMs),
  };
}

/** What a header may have, without spaces. */
const TOKEN = /^[\x21-\x7e]*$/;

function tokenOf(token: ClientOptions['token'], timeoutMs: number): ResolvedClientOptions['token'] {
  if (token === undefined) return undefined;
  if (typeof token !== 'string' && typeof token !== 'function')
    throw invalid(`token is a ${typeof token}; it must be a string or a function.`);
  if (typeof token === 'string') {
    if (!TOKEN.test(token)) throw invalid('token has characters that a header cannot have.');
    return async () => token;
  }
  return async () => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      });
      const given = await Promise.race([token(), late]);
      if (typeof given === 'string' && TOKEN.test(given)) return given;
      throw new Error('it is not a string that a header can have');
    } catch (cause) {
      throw tokenUnavailable(cause);
    } finally {
      clearTimeout(timer);
    }
  };
}
