import { abortable } from './abortable.js';
import { Credentials } from './credentials.js';
import { LoginSecrets } from './login-secrets.js';
import { resolveClientOptions, type ClientOptions } from './options.js';
import { listAll, pagesOf, withQuery } from './pages.js';
import { Transport, type Answer, type Call } from './transport.js';
import type {
  AgentInfo,
  AgentKey,
  Login,
  NewSession,
  Session,
  SessionEvent,
  Template,
  Ticket,
  User,
  ViewerMode,
} from '@streamspace/api';

/** Options of every call. */
export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Client.sessions.pages}. */
export interface PageOptions extends CallOptions {
  /** Most entries of one page, from 1 to 1000. @default 1000 */
  readonly limit?: number | undefined;
}

/** Options of {@link Client.sessions.events}. */
export interface EventsOptions extends CallOptions {
  /** Only events after the one with this id. @default from the first */
  readonly after?: number | undefined;
  /** Most events, from 1 to 1000. @default 100 */
  readonly limit?: number | undefined;
}

/**
 * The REST API of a control plane.
 *
 * Every method rejects with an {@link ApiError}, or with the signal's reason once its signal aborted. Methods that need
 * a login renew it themselves: ahead of expiry, and once when the server answers 401.
 */
export interface Client {
  /** Who is logged in, as far as this client knows. */
  readonly user: User | undefined;

  readonly setup: {
    /** Whether the first admin is still to be made. */
    status(options?: CallOptions): Promise<{ readonly required: boolean }>;
    /**
     * Makes the first admin with the one-time token of the setup link, and logs in.
     * Fails with `setup_token_invalid`, `setup_done` or `invalid_field`.
     */
    complete(
      admin: { readonly token: string; readonly username: string; readonly password: string },
      options?: CallOptions,
    ): Promise<Login>;
  };

  /** Fails with `bad_credentials`. */
  login(who: { readonly username: string; readonly password: string }, options?: CallOptions): Promise<Login>;
  /**
   * Renews the login by the refresh cookie and the secret in the store, for example after a page was loaded again. Fails
   * with `not_logged_in`, and with `login_replaced` where another user has logged in in the same browser.
   */
  refresh(options?: CallOptions): Promise<Login>;
  /** Forgets the token whatever happens; rejects where the server could not be told. */
  logout(options?: CallOptions): Promise<void>;

  readonly templates: { list(options?: CallOptions): Promise<Template[]> };

  /** For admins. */
  readonly agents: {
    list(options?: CallOptions): Promise<AgentInfo[]>;
    /** Makes a key for an agent; an earlier one of the same agent stops to work. */
    issueKey(agentId: string, options?: CallOptions): Promise<AgentKey>;
  };

  readonly sessions: {
    /** Fails with `no_agents_available` (worth a retry) and `session_exists`, among others. */
    create(session: NewSession, options?: CallOptions): Promise<Session>;
    /**
     * All of the user's sessions; of all users for an administrator. Those that have not ended come first, each part the
     * newest first. Takes as many pages as there are, 100 at most (100 000 sessions): past that it fails with
     * `list_too_long`, and {@link pages} has them.
     */
    list(options?: CallOptions): Promise<Session[]>;
    /** The same list page by page. A session that ends meanwhile can be on two pages. */
    pages(options?: PageOptions): AsyncIterable<Session[]>;
    /** Fails with `session_not_found`. */
    get(id: string, options?: CallOptions): Promise<Session>;
    /** Asks for the end; the session passes through `terminating`. */
    stop(id: string, options?: CallOptions): Promise<Session>;
    /**
     * Ends what runs in it and keeps its home. The session passes to `hibernated`.
     * Fails with `session_state` where it is not running, and with `not_supported` where its platform can't.
     */
    hibernate(id: string, options?: CallOptions): Promise<Session>;
    /** Starts a hibernated session again, on its home. Fails with `session_state` where it is not hibernated. */
    wake(id: string, options?: CallOptions): Promise<Session>;
    /** What happened to it, the oldest first: one page. */
    events(id: string, options?: EventsOptions): Promise<SessionEvent[]>;
    /** A ticket for one viewer connection. It lives for seconds: ask right before connecting. @default mode `control` */
    ticket(id: string, mode?: ViewerMode, options?: CallOptions): Promise<Ticket>;
  };

  /** The WebSocket address at which a session's desktop speaks RFB to the holder of `ticket`. */
  viewerUrl(sessionId: string, ticket: string): string;
}

/**
 * A client for the control plane at `baseUrl`. It opens nothing and holds no timers; there is nothing to close.
 *
 * @throws {ApiError} `invalid_option`
 */
export function createClient(options: ClientOptions): Client {
  const resolved = resolveClientOptions(options);
  const transport = new Transport(resolved);
  const secrets = new LoginSecrets(resolved.store);
  const credentials = new Credentials(resolved, () =>
    secrets.refresh((loginSecret) =>
      transport.send({ method: 'POST', path: 'api/v1/auth/refresh', loginSecret }),
    ),
  );

  /** Starts a login. Not while a renewal runs: the cookie of whichever answer comes last is the one that stays. */
  const start = async (path: string, body: unknown, { signal }: CallOptions = {}): Promise<Login> => {
    await abortable(credentials.settled(), signal);
    const login = resolved.exclusive(async () => {
      const answer = await transport.send({ method: 'POST', path, body, signal });
      await secrets.keep(answer.body as Login);
      return credentials.adopt(answer);
    });
    return await abortable(login, signal);
  };

  const open = async <T>(call: Call): Promise<T> => (await transport.send(call)).body as T;

  const { token: given } = resolved;
  /** The application's token, asked for again where the server refuses it, or the one of a login, renewed. */
  const tokens: Pick<Credentials, 'token' | 'replace'> = given
    ? {
        token: (signal) => abortable(given(), signal),
        replace: (_refused, signal) => abortable(given(), signal),
      }
    : credentials;

  const authorized = async (call: Call): Promise<Answer> => {
    const token = await tokens.token(call.signal);
    let refusal: unknown;
    try {
      return await transport.send({ ...call, token });
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
      refusal = error;
    }
    const renewed = await tokens.replace(token, call.signal);
    if (renewed === token) throw refusal;
    try {
      return await transport.send({ ...call, token: renewed });
    } catch (error) {
      // Renewed a moment ago and refused all the same: there is no login that works.
      if (isUnauthorized(error)) credentials.drop();
      throw error;
    }
  };

  const get = async <T>(path: string, options?: CallOptions): Promise<T> =>
    (await authorized({ method: 'GET', path, signal: options?.signal })).body as T;
  const post = async <T>(path: string, body: unknown, options?: CallOptions): Promise<T> =>
    (await authorized({ method: 'POST', path, body, signal: options?.signal })).body as T;
  const sessionPages = ({ limit, signal }: PageOptions = {}): AsyncGenerator<Session[], void> =>
    pagesOf<Session>((cursor) =>
      authorized({ method: 'GET', path: withQuery('api/v1/sessions', { limit, cursor }), signal }),
    );
  const session = (id: string): string => `api/v1/sessions/${encodeURIComponent(id)}`;

  return {
    get user() {
      return credentials.user;
    },
    setup: {
      status: (options) => open({ method: 'GET', path: 'api/v1/setup', signal: options?.signal }),
      complete: ({ token, username, password }, options) =>
        start('api/v1/setup', { token, username, password }, options),
    },
    login: ({ username, password }, options) => start('api/v1/auth/login', { username, password }, options),
    refresh: (options) => credentials.renew(options?.signal),
    logout: async (options) => {
      const token = credentials.accessToken;
      credentials.drop();
      const login = await secrets.end();
      // A renewal's answer brings a new cookie: log out with that one, not with the one before it.
      await credentials.settled();
      await open({
        method: 'POST',
        path: 'api/v1/auth/logout',
        token,
        loginSecret: login?.secret,
        signal: options?.signal,
      });
    },
    templates: { list: (options) => get('api/v1/templates', options) },
    agents: {
      list: (options) => get('api/v1/agents', options),
      issueKey: (agentId, options) => post('api/v1/admin/agents', { agent_id: agentId }, options),
    },
    sessions: {
      create: (body, options) => post('api/v1/sessions', body, options),
      list: ({ signal } = {}) => listAll(sessionPages({ signal })),
      pages: sessionPages,
      get: (id, options) => get(session(id), options),
      stop: (id, options) => post(`${session(id)}/stop`, undefined, options),
      hibernate: (id, options) => post(`${session(id)}/hibernate`, undefined, options),
      wake: (id, options) => post(`${session(id)}/wake`, undefined, options),
      events: (id, { after, limit, signal } = {}) =>
        get(withQuery(`${session(id)}/events`, { after, limit }), { signal }),
      ticket: (id, mode = 'control', options) => post(`${session(id)}/tickets`, { mode }, options),
    },
    viewerUrl: (sessionId, ticket) => {
      const url = new URL(`api/v1/vnc/${encodeURIComponent(sessionId)}`, resolved.baseUrl);
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
      url.searchParams.set('ticket', ticket);
      return url.href;
    },
  };
}

function isUnauthorized(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'status' in error && error.status === 401;
}
