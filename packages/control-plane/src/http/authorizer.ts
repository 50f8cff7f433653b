import type { OperationAuth } from '@streamspace/api';
import { AGENT_ID_SCHEMA } from '@streamspace/api/schemas';
import type { Request } from 'express';
import { notLoggedIn, type AccessTokens } from '../auth/access-tokens.js';
import type { OwnAccounts } from '../auth/own-accounts.js';
import type { AgentKeys } from '../auth/agent-keys.js';
import { Refusal } from '../domain/errors.js';
import type { Caller } from '../domain/session.js';
import type { ControlPlaneEvent } from '../events.js';
import { requireBody } from './check-fields.js';
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
   * Checks what the request line and the headers show, before the body is read. That is all but for `agent`.
   *
   * @throws Refusal `not_logged_in`, `forbidden`, `origin_not_allowed`
   */
  async byHead(auth: OperationAuth, request: Request): Promise<Caller | undefined> {
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
   * The agent that a body names, if the key is that agent's. Nothing else of the body is looked at.
   *
   * @throws Refusal `agent_key_missing`, `agent_key_invalid`; `bad_request`, `invalid_field` where no agent is named
   */
  async agent(request: Request): Promise<Callers['agent']> {
    const { agentId } = requireBody(AGENT_ID_SCHEMA, request.body) as Callers['agent'];
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
