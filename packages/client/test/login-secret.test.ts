import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createClient,
  webStorageLogins,
  type Client,
  type ClientOptions,
  type Login,
  type LoginStore,
} from '@streamspace/client';
import { json, loginBody, problem, startServer, type TestServer } from './support.js';

const REFRESH = 'POST /api/v1/auth/refresh';
const LOGOUT = 'POST /api/v1/auth/logout';
const HEADER = 'x-streamspace-login';

/** What the tabs of one browser share. */
class Browser {
  readonly items = new Map<string, string>();
  cookie: string | undefined;
  /** Cookies as a browser keeps them: nothing of them is seen by the page. */
  readonly fetch: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    if (this.cookie !== undefined) headers.set('cookie', `streamspace_refresh=${this.cookie}`);
    const response = await fetch(input, { ...init, headers });
    const [set] = response.headers.getSetCookie();
    if (set !== undefined) this.cookie = /^streamspace_refresh=([^;]*)/.exec(set)?.[1] || undefined;
    return new Response(response.status === 204 ? null : await response.text(), {
      status: response.status,
      headers: { 'content-type': response.headers.get('content-type') ?? '' },
    });
  };
  readonly storage = {
    getItem: (key: string) => this.items.get(key) ?? null,
    setItem: (key: string, value: string) => void this.items.set(key, value),
    removeItem: (key: string) => void this.items.delete(key),
  };
}

let server: TestServer;
let browser: Browser;
/** Secrets of the logins that have not ended, by id. */
let logins: Map<string, { secret: string; name: string }>;

beforeEach(async () => {
  server = await startServer();
  browser = new Browser();
  logins = new Map();
  const answer = (id: string, name: string, secret?: string) => ({
    ...loginBody(`token of ${id}`),
    user: { id: `id of ${name}`, username: name, role: 'user' },
    login_id: id,
    ...(secret !== undefined && { login_secret: secret }),
  });
  server.on('POST /api/v1/auth/login', (seen, response) => {
    const name = (seen.body as { username: string }).username;
    const id = `login-${logins.size + 1}`;
    const secret = `${id}.secret`;
    logins.set(id, { secret, name });
    response.setHeader('set-cookie', `streamspace_refresh=${id}; Path=/api/v1/auth; HttpOnly`);
    json(response, 200, answer(id, name, secret));
  });
  server.on(REFRESH, (seen, response) => {
    const id = /streamspace_refresh=([^;]+)/.exec(seen.headers.cookie ?? '')?.[1] ?? '';
    const login = logins.get(id);
    if (!login || seen.headers[HEADER] !== login.secret) return problem(response, 401, 'not_logged_in');
    json(response, 200, answer(id, login.name));
  });
  server.on(LOGOUT, (_seen, response) => void response.writeHead(204).end());
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

/** A page that was just loaded. */
const tab = (more: Partial<ClientOptions> = {}): Client =>
  createClient({
    baseUrl: server.url,
    fetch: browser.fetch,
    store: webStorageLogins(browser.storage, server.url),
    ...more,
  });
const logIn = (client: Client, username: string) => client.login({ username, password: 'correct horse' });
const refreshes = () => server.seen.filter(({ route }) => route === REFRESH);

describe('the secret of a login', () => {
  it('is kept in memory where no store is given, beside the cookie that Node does not keep', async () => {
    const client = createClient({ baseUrl: server.url });
    await logIn(client, 'ada');
    expect((await client.refresh()).user.username).toBe('ada');
    expect(refreshes().map(({ headers }) => headers[HEADER])).toEqual(['login-1.secret']);
    const other = createClient({ baseUrl: server.url });
    await expect(other.refresh()).rejects.toMatchObject({ status: 401 });
  });

  it('is sent with refresh and log-out, and with nothing else', async () => {
    const client = tab();
    await logIn(client, 'ada');
    await client.sessions.list().catch(() => undefined);
    await client.refresh();
    await client.logout();
    expect(server.seen.filter(({ headers }) => headers[HEADER]).map(({ route }) => route)).toEqual([
      REFRESH,
      LOGOUT,
    ]);
    expect(server.seen.at(-1)?.headers.authorization).toBe('Bearer token of login-1');
  });

  it('comes back from the store after a reload, for every tab', async () => {
    await logIn(tab(), 'ada');
    expect((await tab().refresh()).user.username).toBe('ada');
    expect((await tab().refresh()).user.username).toBe('ada');
  });

  it('is gone with the log-out, also where the server cannot be told', async () => {
    const client = tab();
    await logIn(client, 'ada');
    server.on(LOGOUT, (_seen, response) => problem(response, 503, 'busy'));
    await expect(client.logout()).rejects.toMatchObject({ status: 503 });
    expect([...browser.items]).toEqual([]);
    await expect(client.refresh()).rejects.toMatchObject({ status: 401 });
  });

  it('is sent by a log-out in a tab that has not refreshed yet', async () => {
    await logIn(tab(), 'ada');
    await tab().logout();
    expect(server.seen.at(-1)?.headers[HEADER]).toBe('login-1.secret');
    expect([...browser.items]).toEqual([]);
  });

  it('is asked for once and no more where the store was cleared', async () => {
    await logIn(tab(), 'ada');
    browser.items.clear();
    const client = tab();
    await expect(client.sessions.list()).rejects.toMatchObject({ status: 401 });
    expect(refreshes()).toHaveLength(1);
    expect(refreshes()[0]?.headers[HEADER]).toBeUndefined();
  });

  it('is forgotten when it is refused, and does not come back', async () => {
    await logIn(tab(), 'ada');
    logins.clear();
    await expect(tab().refresh()).rejects.toMatchObject({ status: 401 });
    expect(refreshes()).toHaveLength(1);
    expect([...browser.items]).toEqual([]);
  });

  it('stays where a refresh fails for another reason', async () => {
    await logIn(tab(), 'ada');
    server.on(REFRESH, (_seen, response) => problem(response, 503, 'database_unavailable'));
    await expect(tab().refresh()).rejects.toMatchObject({ status: 503 });
    expect(browser.items.size).toBe(2);
  });

  it('serves on from memory where the store fails', async () => {
    const fails = (): never => {
      throw new Error('storage is off');
    };
    const client = tab({ store: { load: fails, save: fails, remove: fails } });
    await logIn(client, 'ada');
    await client.refresh();
    await client.logout();
    expect(server.seen.at(-1)?.headers[HEADER]).toBe('login-1.secret');
  });

  it('may be kept by a store that takes its time', async () => {
    const inner = webStorageLogins(browser.storage, server.url);
    const slow: LoginStore = {
      load: async () => inner.load(),
      save: async (login) => inner.save(login),
      remove: async (id) => inner.remove(id),
    };
    await logIn(tab({ store: slow }), 'ada');
    expect((await tab({ store: slow }).refresh()).user.username).toBe('ada');
  });

  it('is not needed with a server of an earlier release', async () => {
    server.on('POST /api/v1/auth/login', (_seen, response) => json(response, 200, loginBody('t1')));
    server.on(REFRESH, (_seen, response) => json(response, 200, loginBody('t2')));
    const client = tab();
    await logIn(client, 'ada');
    expect((await client.refresh()).token).toBe('t2');
    expect(refreshes()[0]?.headers[HEADER]).toBeUndefined();
  });
});

describe('a login in another tab', () => {
  it('of the same user is taken over', async () => {
    const [first, second] = [tab(), tab()];
    await logIn(first, 'ada');
    await logIn(second, 'ada');
    expect((await first.refresh()).login_id).toBe('login-2');
    expect(refreshes().map(({ headers }) => headers[HEADER])).toEqual(['login-2.secret']);
  });

  it('of another user is never taken over: the tab says whose it is, and ends', async () => {
    const told: (Login | undefined)[] = [];
    const first = tab({ onSession: (login) => told.push(login) });
    await logIn(first, 'ada');
    await logIn(tab(), 'bob');
    for (let n = 0; n < 2; n++)
      await expect(first.refresh()).rejects.toMatchObject({
        code: 'login_replaced',
        message: 'bob has logged in in this browser in place of ada.',
      });
    expect(refreshes()).toHaveLength(0);
    expect(first.user).toBeUndefined();
    expect(told.map((login) => login?.user.username)).toEqual(['ada', undefined]);
    // A page that is loaded now is bob's, and so is this one once it logs in.
    expect((await tab().refresh()).user.username).toBe('bob');
    await logIn(first, 'ada');
    expect((await first.refresh()).user.username).toBe('ada');
  });

  it('that comes while a refresh is under way is tried before the tab gives up', async () => {
    await logIn(tab(), 'ada');
    const late = tab();
    server.on(REFRESH, async (seen, response) => {
      if (seen.headers[HEADER] === 'login-2.secret') return json(response, 200, loginBody('t2'));
      await logIn(tab(), 'ada');
      problem(response, 401, 'not_logged_in');
    });
    expect((await late.refresh()).token).toBe('t2');
    expect(refreshes()).toHaveLength(2);
  });

  it('survives the log-out of the tab before it', async () => {
    const first = tab();
    await logIn(first, 'ada');
    await logIn(tab(), 'bob');
    await first.logout();
    expect(server.seen.at(-1)?.headers.authorization).toBe('Bearer token of login-1');
    expect((await tab().refresh()).user.username).toBe('bob');
  });
});

describe('the store for a page', () => {
  const user = { id: 'u1', username: 'ada', role: 'admin' };

  it('has keys of base path and login id, and keeps one login for each path', () => {
    const root = webStorageLogins(browser.storage, 'https://desk.example');
    const vdi = webStorageLogins(browser.storage, 'https://desk.example/vdi/');
    root.save({ id: 'a', secret: 's1', user });
    vdi.save({ id: 'b', secret: 's2', user });
    expect([...browser.items.keys()].sort()).toEqual([
      'streamspace.login:/',
      'streamspace.login:/:a',
      'streamspace.login:/vdi/',
      'streamspace.login:/vdi/:b',
    ]);
    root.save({ id: 'c', secret: 's3', user });
    expect(root.load()).toEqual({ id: 'c', secret: 's3', user });
    root.remove('a');
    expect(root.load()?.id).toBe('c');
    root.remove('c');
    expect(root.load()).toBeUndefined();
    expect(webStorageLogins(browser.storage, 'https://desk.example/vdi').load()?.secret).toBe('s2');
    expect(browser.items.size).toBe(2);
  });

  it.each(['', 'null', '[]', '{"secret":1}', '{"secret":"s"}', '{"secret":"s","user":{"id":1}}'])(
    'takes %j, which it has not written, for nothing',
    (text) => {
      const store = webStorageLogins(browser.storage, 'https://desk.example');
      store.save({ id: 'a', secret: 's1', user });
      browser.items.set('streamspace.login:/:a', text);
      expect(store.load()).toBeUndefined();
    },
  );
});

it('takes a refresh cookie with the prefixes that it has by https', async () => {
  const names = ['__Host-streamspace_refresh', '__Secure-streamspace_refresh'];
  for (const name of names) {
    server.on('POST /api/v1/auth/login', (_seen, response) => {
      response.setHeader('set-cookie', [
        `${name}=c0; Path=/; Secure; HttpOnly`,
        'streamspace_refresh=; Path=/api/v1/auth; Max-Age=0',
      ]);
      json(response, 200, loginBody('t1'));
    });
    const client = createClient({ baseUrl: server.url });
    await logIn(client, 'ada');
    await client.refresh().catch(() => undefined);
  }
  expect(refreshes().map(({ headers }) => headers.cookie)).toEqual(names.map((name) => `${name}=c0`));
});

describe('the store of a client that is given none', () => {
  afterEach(() => void vi.unstubAllGlobals());
  const page = (origin: string): void => {
    vi.stubGlobal('document', {});
    vi.stubGlobal('location', { origin });
    vi.stubGlobal('localStorage', browser.storage);
  };
  const loaded = (more: Partial<ClientOptions> = {}): Client =>
    createClient({ baseUrl: server.url, fetch: browser.fetch, ...more });

  it('is localStorage in a page, so that a reload and other tabs have the login', async () => {
    page(new URL(server.url).origin);
    await logIn(loaded(), 'ada');
    expect([...browser.items.keys()].sort()).toEqual(['streamspace.login:/', 'streamspace.login:/:login-1']);
    expect((await loaded().refresh()).user.username).toBe('ada');
    expect((await tab().refresh()).user.username).toBe('ada');
  });

  it('keeps a control plane of another origin apart from that of the page', async () => {
    page('https://desk.example');
    await logIn(loaded(), 'ada');
    expect((await loaded().refresh()).user.username).toBe('ada');
    expect(webStorageLogins(browser.storage, 'https://desk.example').load()).toBeUndefined();
    expect([...browser.items.keys()].every((key) => key.startsWith(`${new URL(server.url).origin} `))).toBe(
      true,
    );
  });

  it('is memory where localStorage is there without a page, as in Node', async () => {
    vi.stubGlobal('localStorage', browser.storage);
    await logIn(loaded(), 'ada');
    expect([...browser.items]).toEqual([]);
  });

  it('is memory where the page may not use localStorage', async () => {
    page(new URL(server.url).origin);
    Object.defineProperty(globalThis, 'localStorage', {
      configurable: true,
      get: () => {
        throw new Error('storage is off');
      },
    });
    const client = loaded();
    await logIn(client, 'ada');
    expect((await client.refresh()).user.username).toBe('ada');
  });

  it('is not used beside another store', async () => {
    page(new URL(server.url).origin);
    const none: LoginStore = { load: () => undefined, save: () => undefined, remove: () => undefined };
    await logIn(loaded({ store: none }), 'ada');
    expect([...browser.items]).toEqual([]);
  });
});
