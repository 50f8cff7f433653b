import { createHash, randomInt } from 'node:crypto';
import type { ControlPlaneEvent } from '../events.js';
import { Refusal } from './errors.js';
import type { SessionPage, SessionQuery, SessionStore, TemplateStore, Wakeups } from './ports.js';
import { templateLabels } from './scheduling.js';
import type { Caller, Role, Session } from './session.js';
import type { Template } from './template.js';

/** What a user asks for; the fields are checked already. */
export interface SessionRequest {
  readonly template: string;
  readonly userId: string;
  /** Of the user whose session it is to be. */
  readonly userRole: Role;
  readonly id?: string;
  readonly platform?: string;
  readonly region?: string;
  /** Labels that the agent must have, besides those that the template asks for. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Wait for an agent where none can take it now. */
  readonly waitForCapacity?: boolean;
}

export interface SessionsOptions {
  sessions: SessionStore;
  templates: TemplateStore;
  wakeups: Wakeups;
  onEvent: (event: ControlPlaneEvent) => void;
  /** Longest wait of a session for an agent, in ms. */
  capacityWaitMs: number;
  /** How many sessions a user may have that have not ended; 0 is unlimited. */
  maxSessionsPerUser: number;
  /** Who may use agents whose sessions are not isolated from each other. */
  unisolatedAgents: 'admins' | 'everyone';
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
      .update(
        JSON.stringify([
          request.template,
          request.userId,
          request.platform ?? null,
          // Only where asked for: requests of before these could be asked for stay the same.
          ...(request.region === undefined ? [] : [{ region: request.region }]),
          ...(request.labels ? [Object.entries(request.labels).sort(([a], [b]) => (a < b ? -1 : 1))] : []),
        ]),
      )
      .digest(),
  );

/** What users do with sessions. Says who may; what happens is in the store, and on the agent. */
export class Sessions {
  readonly #options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /**
   * @throws Refusal `invalid_field`, `session_exists`, `no_agents_available`, `quota_exceeded`
   */
  async create(request: SessionRequest): Promise<{ session: Session; created: boolean }> {
    const { sessions, wakeups, onEvent, capacityWaitMs, maxSessionsPerUser, unisolatedAgents } =
      this.#options;
    const template = await this.#template(request);
    const platform = request.platform ?? template.platform ?? undefined;
    const result = await sessions.create({
      id: request.id ?? newSessionId(template.name),
      userId: request.userId,
      template,
      ...(platform !== undefined && { platform }),
      ...(request.region !== undefined && { region: request.region }),
      labels: { ...request.labels, ...templateLabels(template.manifest) },
      unisolated: unisolatedAgents === 'everyone' || request.userRole === 'admin',
      requestHash: hashOf(request),
      waitMs: request.waitForCapacity ? capacityWaitMs : 0,
      quota: maxSessionsPerUser,
    });
    const { session, created } = result;
    const said = { sessionId: session.id, user: session.user };
    if (created && session.agentId !== null) {
      wakeups.commandsWaiting(session.agentId);
      onEvent({ type: 'session_created', ...said, agentId: session.agentId });
    } else if (created) onEvent({ type: 'session_waiting', ...said });
    return result;
  }

  /** @throws Refusal `invalid_field` where there is none of that name, or it runs elsewhere only */
  async #template({ template: name, platform }: SessionRequest): Promise<Template> {
    const template = await this.#options.templates.find(name);
    if (!template)
      throw new Refusal('invalid_field', `There is no template ${JSON.stringify(name)}.`, {
        remedy: 'Choose one from GET /api/v1/templates.',
      });
    if (platform !== undefined && template.platform !== null && platform !== template.platform)
      throw new Refusal(
        'invalid_field',
        `Template ${template.name} runs on platform ${template.platform}, not on ${platform}.`,
      );
    return template;
  }

  /** @throws Refusal `session_not_found`, also for a session of somebody else */
  async get(id: string, caller: Caller): Promise<Session> {
    const session = await this.#options.sessions.find(id);
    if (!session || (caller.role !== 'admin' && session.userId !== caller.userId)) throw notFound(id);
    return session;
  }

  list(caller: Caller, page: Pick<SessionQuery, 'after' | 'limit'>): Promise<SessionPage> {
    const { sessions } = this.#options;
    return sessions.list(caller.role === 'admin' ? page : { ...page, userId: caller.userId });
  }

  /** @throws Refusal `session_not_found`, `session_state` */
  async hibernate(id: string, caller: Caller): Promise<Session> {
    await this.get(id, caller);
    return this.#asked(id, await this.#options.sessions.hibernate(id), 'session_hibernating');
  }

  /** @throws Refusal `session_not_found`, `session_state`, `no_agents_available` */
  async wake(id: string, caller: Caller): Promise<Session> {
    await this.get(id, caller);
    return this.#asked(id, await this.#options.sessions.wake(id), 'session_waking');
  }

  #asked(id: string, session: Session | undefined, type: 'session_hibernating' | 'session_waking'): Session {
    if (!session) throw notFound(id);
    this.#options.wakeups.sessionChanged(id);
    if (session.agentId !== null) this.#options.wakeups.commandsWaiting(session.agentId);
    this.#options.onEvent({ type, sessionId: id, user: session.user });
    return session;
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
