import type { Request } from 'express';
import { notLoggedIn, type AccessTokens } from '../auth/access-tokens.js';
import { Refusal } from '../domain/errors.js';
import type { Caller } from '../domain/session.js';

/** The token in the header Authorization. */
export const bearerOf = (request: Request): string | undefined =>
  /^Bearer +([\w.-]+)$/i.exec(request.headers.authorization ?? '')?.[1];

/**
 * Who sends this request.
 *
 * @throws Refusal `not_logged_in`
 */
export function callerOf(request: Request, accessTokens: AccessTokens): Caller {
  const token = bearerOf(request);
  if (token === undefined) throw notLoggedIn('The header Authorization: Bearer … is missing.');
  return accessTokens.verify(token);
}

/** @throws Refusal `not_logged_in`, `forbidden` */
export function adminOf(request: Request, accessTokens: AccessTokens): Caller {
  const caller = callerOf(request, accessTokens);
  if (caller.role !== 'admin') throw new Refusal('forbidden', 'Only administrators may do this.');
  return caller;
}
