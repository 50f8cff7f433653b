import type { OperationAuth } from '@streamspace/api';
import type { Request } from 'express';
import { notLoggedIn, type AccessTokens } from '../auth/access-tokens.js';
import type { OwnAccounts } from '../auth/own-accounts.js';
import type { AgentKeys } from '../auth/agent-keys.js';
import { Refusal } from '../domain/errors.js';
import type { Caller } from '../domain/session.js';
import type { ControlPlaneEvent } from '../events.js';
import type { Callers } from './operations.js';
import { requireOwnPage } from './origin.js';
import type { Site } from './site.js';

export interface AuthorizerOptions {
  readonly accessTokens: AccessTokens;
  readonly agentKeys: AgentKeys;
  readonly site: Site;
  /** Accounts of the host application, in place of access tokens. */
  readonly ownAccounts?: OwnAccounts | undefined;
  readonly onEvent: (event: ControlPlaneEvent) => void;
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** The one place that decides who may call an operation. */
export class Authorizer {
  readonly #options: AuthorizerOptions;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /**
   * What can be said by the head of a request, before its body is read.
   *
   * @throws Refusal `not_logged_in`, `forbidden`, `origin_not_allowed`
   */
  async before(auth: OperationAuth, request: Request): Promise<Caller | undefined> {
    switch (auth) {
      case 'public':
      case 'ticket':
      case 'agent':
        return undefined;
      case 'cookie':
        // The cookie comes with every request of the browser: these must come from pages of our own.
        requireOwnPage(this.#options.site, request);
        return undefined;
      case 'user':
        return this.#caller(request);
      case 'admin': {
        const caller = await this.#caller(request);
        if (caller.role !== 'admin') throw new Refusal('forbidden', 'This requires the administrator role.');
        return caller;
      }
    }
  }

  /**
   * The caller, once the body has been checked: an agent says in it which agent it is.
   *
   * @throws Refusal `agent_key_missing`, `agent_key_invalid`
   */
  async after(
    auth: OperationAuth,
    request: Request,
    body: unknown,
    user: Caller | undefined,
  ): Promise<Callers[OperationAuth]> {
    if (auth !== 'agent') return user;
    const { agentId } = body as Callers['agent'];
    try {
      await this.#options.agentKeys.authenticate(agentId, request.get('x-agent-api-key'));
    } catch (error) {
      if (error instanceof Refusal)
        this.#options.onEvent({ type: 'agent_refused', agentId, code: error.code });
      throw error;
    }
    return { agentId };
  }

  async #caller(request: Request): Promise<Caller> {
    const { site, ownAccounts } = this.#options;
    if (ownAccounts) {
      // Cookies of the application may say who it is, and browsers send them with requests of any page.
      if (!READING.has(request.method)) requireOwnPage(site, request);
      return ownAccounts.callerOf(request);
    }
    const token = bearerOf(request);
    if (token === undefined) throw notLoggedIn('The header Authorization: Bearer … is missing.');
    return this.#options.accessTokens.verify(token);
  }
}

/** The token in the header Authorization. */
export const bearerOf = (request: Request): string | undefined =>
  /^Bearer +([\w.-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
