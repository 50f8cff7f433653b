import { parse, serialize } from 'cookie';
import { Router, type Request, type Response } from 'express';
import type { LoggedIn } from '../auth/logins.js';
import { Refusal } from '../domain/errors.js';
import { Fields } from './fields.js';
import { mountOf } from './mount.js';
import { ownPagesOnly } from './origin.js';
import type { Services } from './services.js';
import { loginView } from './views.js';

const COOKIE = 'streamspace_refresh';
/** Longest password, in characters: hashing is not to be made expensive by its length. */
const PASSWORD_CHARS = 1_024;
const SHORTEST_NEW_PASSWORD_CHARS = 10;
const USERNAME = /^[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?$/;

function setCookie(request: Request, response: Response, value: string, expires: Date): void {
  response.append(
    'Set-Cookie',
    serialize(COOKIE, value, {
      httpOnly: true,
      sameSite: 'strict',
      secure: request.secure,
      path: `${mountOf(response)}/api/v1/auth`,
      expires,
    }),
  );
}

function sendLogin(request: Request, response: Response, login: LoggedIn, status: number): void {
  setCookie(request, response, login.refreshToken, login.refreshExpiresAt);
  response.status(status).json(loginView(login));
}

const refreshTokenOf = (request: Request): string | undefined => parse(request.headers.cookie ?? '')[COOKIE];

/** Setting up, logging in and out. */
export function loginRoutes({ setup, logins, allowedOrigins, audit }: Services): Router {
  const router = Router();
  const note = async (request: Request, action: string, actor: string, actorId?: string): Promise<void> => {
    const address = request.ip;
    await audit.append({
      action,
      actor,
      ...(actorId !== undefined && { actorId }),
      ...(address !== undefined && { address }),
    });
  };
  // The cookie rides along with every request: these must come from pages of our own.
  const fromOwnPages = ownPagesOnly(allowedOrigins);

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
      login = await logins.login(username, password, request.ip ?? '');
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
    sendLogin(request, response, await logins.refresh(refreshTokenOf(request)), 200);
  });

  router.post('/auth/logout', fromOwnPages, async (request, response) => {
    await logins.logout(refreshTokenOf(request));
    setCookie(request, response, '', new Date(0));
    response.status(204).end();
  });

  return router;
}
