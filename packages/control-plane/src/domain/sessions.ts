import { createHash, randomInt } from 'node:crypto';
import type { ControlPlaneEvent } from '../events.js';
import { Refusal } from './errors.js';
import type { SessionStore, TemplateStore, Wakeups } from './ports.js';
import { rankAgents } from './scheduling.js';
import type { Caller, Session } from './session.js';

/** What a user asks for; the fields are checked already. */
export interface SessionRequest {
  readonly template: string;
  readonly userId: string;
  readonly id?: string;
  readonly platform?: string;
}

export interface SessionsOptions {
  sessions: SessionStore;
  templates: TemplateStore;
  wakeups: Wakeups;
  onEvent: (event: ControlPlaneEvent) => void;
}

const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
/** 31 bits and more per 7 characters; a clash is an error that the user may repeat, never a shared session. */
const SUFFIX_CHARS = 10;

/** An id that nobody chose: the template's name, so that people can tell sessions apart, and something random. */
function newSessionId(template: string): string {
  const suffix = Array.from({ length: SUFFIX_CHARS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return `${template.slice(0, 40)}-${suffix}`;
}

const hashOf = (request: SessionRequest): Uint8Array =>
  new Uint8Array(
    createHash('sha256')
      .update(JSON.stringify([request.template, request.userId, request.platform ?? null]))
      .digest(),
  );

/** What users do with sessions. Says who may; what happens is in the store, and on the agent. */
export class Sessions {
  readonly #options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /**
   * @throws Refusal `invalid_field`, `session_exists`, `no_agents_available`
   */
  async create(request: SessionRequest): Promise<{ session: Session; created: boolean }> {
    const { templates, sessions, wakeups, onEvent } = this.#options;
    const template = await templates.find(request.template);
    if (!template)
      throw new Refusal('invalid_field', `There is no template ${JSON.stringify(request.template)}.`, {
        remedy: 'Choose one from GET /api/v1/templates.',
      });
    if (
      request.platform !== undefined &&
      template.platform !== null &&
      request.platform !== template.platform
    )
      throw new Refusal(
        'invalid_field',
        `Template ${template.name} runs on platform ${template.platform}, not on ${request.platform}.`,
      );
    const platform = request.platform ?? template.platform ?? undefined;
    const result = await sessions.create(
      {
        id: request.id ?? newSessionId(template.name),
        userId: request.userId,
        template,
        platform,
        requestHash: hashOf(request),
      },
      (agents) => rankAgents(agents, platform),
    );
    const { session, created } = result;
    if (created && session.agentId !== null) {
      wakeups.commandsWaiting(session.agentId);
      onEvent({
        type: 'session_created',
        sessionId: session.id,
        user: session.user,
        agentId: session.agentId,
      });
    }
    return result;
  }

  /** @throws Refusal `session_not_found`, also for a session of somebody else */
  async get(id: string, caller: Caller): Promise<Session> {
    const session = await this.#options.sessions.find(id);
    if (!session || (caller.role !== 'admin' && session.userId !== caller.userId)) throw notFound(id);
    return session;
  }

  list(caller: Caller): Promise<Session[]> {
    return this.#options.sessions.list(caller.role === 'admin' ? {} : { userId: caller.userId });
  }

  /** @throws Refusal `session_not_found` */
  async stop(id: string, caller: Caller): Promise<Session> {
    const before = await this.get(id, caller);
    const session = await this.#options.sessions.stop(id);
    if (!session) throw notFound(id);
    this.#options.wakeups.sessionChanged(id);
    if (session.agentId !== null) this.#options.wakeups.commandsWaiting(session.agentId);
    if (before.state !== 'terminating' && before.state !== 'terminated')
      this.#options.onEvent({ type: 'session_stopping', sessionId: id, user: session.user });
    return session;
  }
}

const notFound = (id: string): Refusal =>
  new Refusal(
    'session_not_found',
    `There is no session ${JSON.stringify(id.slice(0, 64))} that you may see.`,
  );
