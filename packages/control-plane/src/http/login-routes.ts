import { Router, type Request, type Response } from 'express';
import type { LoggedIn } from '../auth/logins.js';
import { Refusal } from '../domain/errors.js';
import { bearerOf } from './caller.js';
import { Fields } from './fields.js';
import { ownPagesOnly } from './origin.js';
import { RefreshCookie } from './refresh-cookie.js';
import type { Services } from './services.js';
import { loginView } from './views.js';

/** Carries the login secret. Only a page of our origin can send it: to others the browser puts a preflight first. */
const LOGIN_HEADER = 'x-streamspace-login';
/** Longest password, in characters: hashing is not to be made expensive by its length. */
const PASSWORD_CHARS = 1_024;
const SHORTEST_NEW_PASSWORD_CHARS = 10;
const USERNAME = /^[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?$/;

/** Setting up, logging in and out. */
export function loginRoutes({ setup, logins, site, audit }: Services): Router {
  const router = Router();
  const cookie = new RefreshCookie(site);
  const sendLogin = (request: Request, response: Response, login: LoggedIn, status: number): void => {
    cookie.set(request, response, login.refreshToken, login.refreshExpiresAt);
    response.status(status).json(loginView(login));
  };
  const note = async (request: Request, action: string, actor: string, actorId?: string): Promise<void> => {
    const { address } = site.clientOf(request);
    await audit.append({
      action,
      actor,
      ...(actorId !== undefined && { actorId }),
      ...(address !== undefined && { address }),
    });
  };
  // The cookie rides along with every request: these must come from pages of our own.
  const fromOwnPages = ownPagesOnly(site);

  router.get('/setup', async (_request, response) => {
    response.json({ required: await setup.isRequired() });
  });

  router.post('/setup', async (request, response) => {
    const fields = new Fields(request.body);
    const token = fields.text('token', { max: 200, secret: true });
    const username = fields.matching(
      'username',
      USERNAME,
      '1 to 64 letters, digits and . _ @ -, with a letter or digit at both ends',
    );
    const password = fields.text('password', {
      min: SHORTEST_NEW_PASSWORD_CHARS,
      max: PASSWORD_CHARS,
      secret: true,
    });
    const login = await setup.createAdmin(token, username, password);
    await note(request, 'admin_created', username, login.user.id);
    sendLogin(request, response, login, 201);
  });

  router.post('/auth/login', async (request, response) => {
    const fields = new Fields(request.body);
    const username = fields.text('username', { max: 200 });
    const password = fields.text('password', { max: PASSWORD_CHARS, secret: true });
    let login: LoggedIn;
    try {
      login = await logins.login(username, password, site.clientOf(request).address ?? '');
    } catch (error) {
      // Not those that come too fast: their number is nobody's to choose.
      if (error instanceof Refusal && error.code === 'bad_credentials')
        await note(request, 'login_refused', username);
      throw error;
    }
    await note(request, 'login', username, login.user.id);
    sendLogin(request, response, login, 200);
  });

  router.post('/auth/refresh', fromOwnPages, async (request, response) => {
    const login = await logins.refresh(
      cookie.read(request, response),
      request.get(LOGIN_HEADER),
      site.clientOf(request).address ?? '',
    );
    sendLogin(request, response, login, 200);
  });

  router.post('/auth/logout', fromOwnPages, async (request, response) => {
    const { removesCookie } = await logins.logout({
      refreshTokens: cookie.read(request, response),
      loginSecret: request.get(LOGIN_HEADER),
      accessToken: bearerOf(request),
    });
    if (removesCookie) cookie.set(request, response, '', new Date(0));
    response.status(204).end();
  });

  return router;
}
