import type { Request } from 'express';
import { notLoggedIn, type AccessTokens } from '../auth/access-tokens.js';
import { Refusal } from '../domain/errors.js';
import type { Caller } from '../domain/session.js';

/**
 * Who sends this request.
 *
 * @throws Refusal `not_logged_in`
 */
export function callerOf(request: Request, accessTokens: AccessTokens): Caller {
  const match = /^Bearer +([\w.-]+)$/i.exec(request.headers.authorization ?? '');
  if (!match) throw notLoggedIn('The header Authorization: Bearer … is missing.');
  return accessTokens.verify(match[1]!);
}

/** @throws Refusal `not_logged_in`, `forbidden` */
export function adminOf(request: Request, accessTokens: AccessTokens): Caller {
  const caller = callerOf(request, accessTokens);
  if (caller.role !== 'admin') throw new Refusal('forbidden', 'Only administrators may do this.');
  return caller;
}
