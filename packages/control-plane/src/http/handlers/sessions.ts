import type { Response } from 'express';
import type { AuditAction } from '@streamspace/api';
import { notLoggedIn } from '../../auth/access-tokens.js';
import type { User } from '../../auth/ports.js';
import { Refusal } from '../../domain/errors.js';
import type { Caller, Session } from '../../domain/session.js';
import { noteOf } from '../audit-note.js';
import { mountOf } from '../mount.js';
import { linkNext, pageById } from '../next-link.js';
import type { Call, Handlers } from '../operations.js';
import type { Services } from '../services.js';
import { decodeCursor, encodeCursor } from '../session-cursor.js';
import { eventView, sessionView, templateView } from '../views.js';

/** Of a request without `limit`: what was sent at most before there were pages. */
const DEFAULT_SESSIONS = 1_000;

type SessionHandlers = Pick<
  Handlers,
  | 'listTemplates'
  | 'listSessions'
  | 'createSession'
  | 'getSession'
  | 'listSessionEvents'
  | 'stopSession'
  | 'deleteSession'
  | 'hibernateSession'
  | 'wakeSession'
  | 'createTicket'
>;

/** What the operations on one session have in common. */
type SessionCall = Pick<Call<'getSession'>, 'params' | 'caller' | 'request' | 'response'>;

/** Templates, sessions and their tickets. */
export function sessionHandlers(services: Services): SessionHandlers {
  const { sessions, templates, tickets, events, pageUrl } = services;
  const note = noteOf(services);
  const view = (session: Session, response: Response) =>
    sessionView(session, pageUrl(session.id, mountOf(response)));
  /** Notes what a user does to another user's session. */
  const noteForeign = async (
    { request, caller }: Pick<SessionCall, 'request' | 'caller'>,
    session: Session,
    action: AuditAction,
  ): Promise<void> => {
    if (session.userId === caller.userId) return;
    const entry = { actorId: caller.userId, action, target: session.id, data: { user: session.user } };
    await note(request, entry);
  };
  const change = (action: 'stop' | 'hibernate' | 'wake', noted: AuditAction) => async (call: SessionCall) => {
    const session = await sessions[action](call.params.id, call.caller);
    await noteForeign(call, session, noted);
    return { status: 202, body: view(session, call.response) } as const;
  };
  const stop = change('stop', 'session_stopped');

  return {
    listTemplates: async () => ({ status: 200, body: (await templates.list()).map(templateView) }),

    listSessions: async ({ query: { limit = DEFAULT_SESSIONS, cursor }, caller, request, response }) => {
      const after = cursor === undefined ? {} : { after: decodeCursor(cursor) };
      const page = await sessions.list(caller, { limit, ...after });
      if (page.next) linkNext(request, response, 'cursor', encodeCursor(page.next));
      return { status: 200, body: page.sessions.map((session) => view(session, response)) };
    },

    createSession: async (call) => {
      const { body, caller, response } = call;
      const owner = await ownerOf(services, caller, body.user ?? undefined);
      const { session, created } = await sessions.create({
        template: body.template,
        userId: owner.id,
        userRole: owner.role,
        waitForCapacity: body.waitForCapacity ?? false,
        ...(body.id != null && { id: body.id }),
        ...(body.platform != null && { platform: body.platform }),
        ...(body.region != null && { region: body.region }),
        ...(body.labels != null && { labels: body.labels }),
      });
      if (created) await noteForeign(call, session, 'session_created');
      return { status: created ? 201 : 200, body: view(session, response) };
    },

    getSession: async ({ params, caller, response }) => {
      const session = await sessions.get(params.id, caller);
      return { status: 200, body: view(session, response) };
    },

    listSessionEvents: async (call) => {
      const { after } = call.query;
      const session = await sessions.get(call.params.id, call.caller);
      const page = await pageById(call, 'after', (limit) =>
        events.list(session.id, { limit, ...(after !== undefined && { after }) }),
      );
      return { status: 200, body: page.map(eventView) };
    },

    stopSession: stop,
    deleteSession: stop,
    hibernateSession: change('hibernate', 'session_hibernated'),
    wakeSession: change('wake', 'session_woken'),

    createTicket: async (call) => {
      const { params, body, caller } = call;
      const session = await sessions.get(params.id, caller);
      const { ticket, expiresAt } = await tickets.issue(session, caller.userId, body.mode);
      await noteForeign(call, session, 'session_viewed');
      return { status: 201, body: { ticket, expires_at: expiresAt.toISOString() } };
    },
  };
}

/** The owner of a new session: the caller, or the user that an administrator names. */
async function ownerOf(services: Services, caller: Caller, username: string | undefined): Promise<User> {
  const self = await services.users.find(caller.userId);
  if (!self) throw notLoggedIn('This user does not exist any more.');
  // The role of this request: the row may have another, which an earlier request wrote.
  if (username === undefined || username.toLowerCase() === self.username.toLowerCase())
    return { ...self, role: caller.role };
  if (caller.role !== 'admin')
    throw new Refusal('forbidden', 'Only administrators may create sessions for others.');
  const user = await services.users.findByName(username);
  if (!user)
    throw new Refusal('invalid_field', `user must be the name of a user; got ${JSON.stringify(username)}.`);
  return user;
}
