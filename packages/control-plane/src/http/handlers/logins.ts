import type { Request, Response } from 'express';
import type { LoggedIn } from '../../auth/logins.js';
import { Refusal } from '../../domain/errors.js';
import { bearerOf } from '../authorizer.js';
import { noteOf } from '../audit-note.js';
import type { Handlers } from '../operations.js';
import { RefreshCookie } from '../refresh-cookie.js';
import type { Services } from '../services.js';
import { loginView } from '../views.js';

/** Carries the login secret. Only a page of our origin can send it: to others the browser puts a preflight first. */
const LOGIN_HEADER = 'x-streamspace-login';

/** Setting up, logging in and out. */
export function loginHandlers(
  services: Services,
): Pick<Handlers, 'getSetup' | 'completeSetup' | 'login' | 'refreshLogin' | 'logout'> {
  const { setup, logins, site } = services;
  const note = noteOf(services);
  const cookie = new RefreshCookie(site);
  const bodyOf = (request: Request, response: Response, login: LoggedIn) => {
    cookie.set(request, response, login.refreshToken, login.refreshExpiresAt);
    return loginView(login);
  };
  const addressOf = (request: Request): string => site.clientOf(request).address ?? '';

  return {
    getSetup: async () => ({ status: 200, body: { required: await setup.isRequired() } }),

    completeSetup: async ({ body: { token, username, password }, request, response }) => {
      const login = await setup.createAdmin(token, username, password);
      await note(request, { action: 'admin_created', actor: username, actorId: login.user.id });
      return { status: 201, body: bodyOf(request, response, login) };
    },

    login: async ({ body: { username, password }, request, response }) => {
      let login: LoggedIn;
      try {
        login = await logins.login(username, password, addressOf(request));
      } catch (error) {
        // Not those that come too fast: a stranger would choose how many there are.
        if (error instanceof Refusal && error.code === 'bad_credentials')
          await note(request, { action: 'login_refused', actor: username });
        throw error;
      }
      await note(request, { action: 'login', actor: username, actorId: login.user.id });
      return { status: 200, body: bodyOf(request, response, login) };
    },

    refreshLogin: async ({ request, response }) => {
      const tokens = cookie.read(request, response);
      const login = await logins.refresh(tokens, request.get(LOGIN_HEADER), addressOf(request));
      return { status: 200, body: bodyOf(request, response, login) };
    },

    logout: async ({ request, response }) => {
      const { removesCookie } = await logins.logout({
        refreshTokens: cookie.read(request, response),
        loginSecret: request.get(LOGIN_HEADER),
        accessToken: bearerOf(request),
      });
      if (removesCookie) cookie.set(request, response, '', new Date(0));
      return { status: 204 };
    },
  };
}
