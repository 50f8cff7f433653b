import jwt from 'jsonwebtoken';
import { Refusal } from '../domain/errors.js';
import { ROLES, type Caller } from '../domain/session.js';
import type { User } from './ports.js';

const ISSUER = 'streamspace';
const AUDIENCE = 'streamspace-api';
const LIFETIME_SECONDS = 15 * 60;
/** Clocks of replicas may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Signs and checks the short-lived tokens that requests carry. */
export class AccessTokens {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param sid id of the login that the token is made for */
  issue(user: User, sid: string): { token: string; expiresAt: Date } {
    const issued = Math.floor(Date.now() / 1_000);
    const expires = issued + LIFETIME_SECONDS;
    const token = jwt.sign({ role: user.role, sid, iat: issued, exp: expires }, this.#secret, {
      algorithm: 'HS256',
      issuer: ISSUER,
      audience: AUDIENCE,
      subject: user.id,
    });
    return { token, expiresAt: new Date(expires * 1_000) };
  }

  /** @throws Refusal `not_logged_in` */
  verify(token: string): Caller {
    try {
      const claims = jwt.verify(token, this.#secret, {
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: AUDIENCE,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      if (typeof claims === 'object' && typeof claims.sub === 'string') {
        const role = ROLES.find((known) => known === claims['role']);
        const sid: unknown = claims['sid'];
        if (role) return { userId: claims.sub, role, ...(typeof sid === 'string' && { sid }) };
      }
    } catch (cause) {
      const expired = cause instanceof jwt.TokenExpiredError;
      throw notLoggedIn(expired ? 'The access token has expired.' : 'The access token is not valid.', cause);
    }
    throw notLoggedIn('The access token is not valid.');
  }
}

export const notLoggedIn = (detail: string, cause?: unknown): Refusal =>
  new Refusal('not_logged_in', detail, {
    remedy: 'Log in again, or ask POST /api/v1/auth/refresh for a new token.',
    ...(cause !== undefined && { cause }),
  });
