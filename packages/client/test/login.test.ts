import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, type Login } from '@streamspace/client';
import { json, loginBody, problem, startServer, type TestServer } from './support.js';

const REFRESH = 'POST /api/v1/auth/refresh';
const SESSIONS = 'GET /api/v1/sessions';

let server: TestServer;
let valid: string;
let renewals: number;

beforeEach(async () => {
  server = await startServer();
  valid = 't0';
  renewals = 0;
  server.on('POST /api/v1/auth/login', (_seen, response) => {
    response.setHeader('set-cookie', 'streamspace_refresh=c0; Path=/api/v1/auth; HttpOnly; SameSite=Strict');
    json(response, 200, loginBody(valid));
  });
  server.on(REFRESH, (seen, response) => {
    if (!seen.headers.cookie) return problem(response, 401, 'not_logged_in');
    renewals += 1;
    valid = `t${renewals}`;
    response.setHeader('set-cookie', `streamspace_refresh=c${renewals}; Path=/api/v1/auth; HttpOnly`);
    json(response, 200, loginBody(valid));
  });
  server.on(SESSIONS, (seen, response) => {
    if (seen.headers.authorization !== `Bearer ${valid}`) return problem(response, 401, 'not_logged_in');
    json(response, 200, []);
  });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const who = { username: 'ada', password: 'correct horse' };
const routes = (): string[] => server.seen.map((one) => one.route);
const cookies = (): (string | undefined)[] =>
  server.seen.filter((one) => one.route === REFRESH).map((one) => one.headers.cookie);

describe('renewing the login', () => {
  it('renews once for all calls that were refused together, and repeats them', async () => {
    const client = createClient({ baseUrl: server.url });
    await client.login(who);
    valid = 'revoked meanwhile';
    await Promise.all([client.sessions.list(), client.sessions.list(), client.sessions.list()]);
    expect(renewals).toBe(1);
  });

  it('renews ahead of expiry, with the newest cookie each time', async () => {
    const client = createClient({ baseUrl: server.url });
    server.on('POST /api/v1/auth/login', (_seen, response) => {
      response.setHeader('set-cookie', 'streamspace_refresh=c0; Path=/api/v1/auth');
      response.setHeader('date', new Date().toISOString());
      json(response, 200, loginBody(valid, 60));
    });
    await client.login(who);
    await expect.poll(() => client.sessions.list().then(() => renewals)).toBe(1);
    await client.refresh();
    expect(cookies()).toEqual(['streamspace_refresh=c0', 'streamspace_refresh=c1']);
  });

  it('renews on refusal only where the clocks disagree', async () => {
    server.on('POST /api/v1/auth/login', (_seen, response) => json(response, 200, loginBody(valid, -60_000)));
    const client = createClient({ baseUrl: server.url });
    await client.login(who);
    await client.sessions.list();
    expect(renewals).toBe(0);
  });

  it('shows the refresh cookie to nothing but the auth calls', async () => {
    const client = createClient({ baseUrl: server.url });
    await client.login(who);
    await client.sessions.list();
    expect(server.seen.at(-1)?.headers.cookie).toBeUndefined();
  });

  it('keeps the cookie under the name that the server gives it, also where that replaces an earlier one', async () => {
    const client = createClient({ baseUrl: server.url });
    await client.login(who);
    server.on(REFRESH, (_seen, response) => {
      response.setHeader('set-cookie', [
        '__Host-streamspace_refresh=h1; Path=/; Secure; HttpOnly',
        'streamspace_refresh=; Path=/api/v1/auth; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      ]);
      json(response, 200, loginBody(valid));
    });
    await client.refresh();
    server.on(REFRESH, (_seen, response) => {
      response.setHeader('set-cookie', '__Secure-streamspace_refresh=s2; Path=/vdi/api/v1/auth; Secure');
      json(response, 200, loginBody(valid));
    });
    await client.refresh();
    await client.refresh();
    expect(cookies()).toEqual([
      'streamspace_refresh=c0',
      '__Host-streamspace_refresh=h1',
      '__Secure-streamspace_refresh=s2',
    ]);
  });

  it('judges the life of a token by the clock of the server that set it', async () => {
    const hours = 3 * 3_600_000;
    server.on('POST /api/v1/auth/login', (_seen, response) => {
      response.setHeader('date', new Date(Date.now() - hours).toUTCString());
      json(response, 200, loginBody(valid, 15 * 60_000 - hours));
    });
    const client = createClient({ baseUrl: server.url });
    await client.login(who);
    await client.sessions.list();
    expect(renewals).toBe(0);
  });

  it('gives up after one renewal that did not help', async () => {
    const told: (Login | undefined)[] = [];
    const client = createClient({ baseUrl: server.url, onSession: (login) => told.push(login) });
    await client.login(who);
    server.on(SESSIONS, (_seen, response) => problem(response, 401, 'not_logged_in'));
    await expect(client.sessions.list()).rejects.toMatchObject({ status: 401 });
    expect(renewals).toBe(1);
    expect(told.map((login) => login?.token)).toEqual(['t0', 't1', undefined]);
    expect(client.user).toBeUndefined();
  });

  it('goes on with a token that still lives when a renewal ahead of time fails', async () => {
    const client = createClient({ baseUrl: server.url, renewBeforeMs: 1e9 });
    server.on('POST /api/v1/auth/login', (_seen, response) => {
      response.setHeader('date', new Date().toISOString());
      json(response, 200, loginBody(valid, 2_000));
    });
    await client.login(who);
    server.on(REFRESH, (_seen, response) => problem(response, 503, 'database_away'));
    await expect
      .poll(() => client.sessions.list().then(() => routes().includes(REFRESH)), { timeout: 1_900 })
      .toBe(true);
  });

  it('lets one caller leave without ending the renewal for the others', async () => {
    const client = createClient({ baseUrl: server.url });
    const stop = new AbortController();
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      server.on(REFRESH, (_seen, response) => {
        answer = () => json(response, 200, loginBody(valid));
        resolve();
      });
    });
    const leaving = client.sessions.list({ signal: stop.signal });
    const staying = client.sessions.list();
    await asked;
    stop.abort(new Error('left the page'));
    await expect(leaving).rejects.toThrow('left the page');
    answer();
    expect(await staying).toEqual([]);
  });

  it('runs logins and renewals inside the lock that it was given', async () => {
    let inside = 0;
    const client = createClient({
      baseUrl: server.url,
      exclusive: async (run) => {
        inside += 1;
        return await run();
      },
    });
    await client.login(who);
    expect(inside).toBe(1);
    await client.refresh();
    expect(inside).toBe(2);
  });
});

describe('logging out', () => {
  it('forgets the token and ends the cookie', async () => {
    server.on('POST /api/v1/auth/logout', (_seen, response) => {
      response.setHeader('set-cookie', 'streamspace_refresh=; Path=/api/v1/auth; Max-Age=0');
      response.writeHead(204).end();
    });
    const told: (Login | undefined)[] = [];
    const client = createClient({ baseUrl: server.url, onSession: (login) => told.push(login) });
    await client.login(who);
    await client.logout();
    expect(server.seen.at(-1)?.headers.cookie).toBe('streamspace_refresh=c0');
    expect(client.user).toBeUndefined();
    expect(told.at(-1)).toBeUndefined();
    await expect(client.refresh()).rejects.toMatchObject({ code: 'not_logged_in' });
  });

  it('wins over a renewal that was under way, and uses the cookie which that brought', async () => {
    server.on('POST /api/v1/auth/logout', (_seen, response) => void response.writeHead(204).end());
    const client = createClient({ baseUrl: server.url });
    await client.login(who);
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      server.on(REFRESH, (_seen, response) => {
        answer = () => {
          response.setHeader('set-cookie', 'streamspace_refresh=late; Path=/api/v1/auth');
          json(response, 200, loginBody('late'));
        };
        resolve();
      });
    });
    const renewal = client.refresh();
    renewal.catch(() => undefined);
    await asked;
    const logout = client.logout();
    answer();
    await logout;
    await expect(renewal).rejects.toMatchObject({ code: 'logged_out' });
    expect(client.user).toBeUndefined();
    expect(server.seen.at(-1)?.headers.cookie).toBe('streamspace_refresh=late');
  });
});
