import { Router, type Request, type RequestHandler } from 'express';
import { notLoggedIn } from '../auth/access-tokens.js';
import { Refusal } from '../domain/errors.js';
import { isDnsLabel, VIEWER_MODES, type Caller, type Session } from '../domain/session.js';
import type { User } from '../auth/ports.js';
import { callerOf } from './caller.js';
import { Fields } from './fields.js';
import { mountOf } from './mount.js';
import { pageOf } from './paging.js';
import type { Services } from './services.js';
import { eventView, sessionView, templateView } from './views.js';

/** Templates, sessions and their tickets. */
export function sessionRoutes(services: Services): Router {
  const { accessTokens, sessions, templates, tickets, events, audit, site } = services;
  const router = Router();
  /** What somebody does to the session of somebody else is written down. */
  const noteForeign = async (
    request: Request,
    caller: Caller,
    session: Session,
    action: string,
  ): Promise<void> => {
    if (session.userId === caller.userId) return;
    const { userId: actorId } = caller;
    const { address } = site.clientOf(request);
    await audit.append({
      actorId,
      action,
      target: session.id,
      ...(address !== undefined && { address }),
      data: { user: session.user },
    });
  };

  router.get('/templates', async (request, response) => {
    callerOf(request, accessTokens);
    response.json((await templates.list()).map(templateView));
  });

  router.get('/sessions', async (request, response) => {
    const found = await sessions.list(callerOf(request, accessTokens));
    response.json(found.map((session) => sessionView(session, mountOf(response))));
  });

  router.post('/sessions', async (request, response) => {
    const caller = callerOf(request, accessTokens);
    const fields = new Fields(request.body);
    fields.oneOf('state', ['running'], 'running');
    const template = fields.text('template', { max: 200 });
    const id = readId(fields);
    const platform = fields.optionalText('platform', { max: 50 });
    const region = fields.optionalText('region', { max: 100 });
    const labels = fields.optionalLabels('labels');
    const waitForCapacity = fields.flag('waitForCapacity');
    const owner = await ownerOf(services, caller, fields.optionalText('user', { max: 200 }));
    const { session, created } = await sessions.create({
      template,
      userId: owner.id,
      userRole: owner.role,
      waitForCapacity,
      ...(id !== undefined && { id }),
      ...(platform !== undefined && { platform }),
      ...(region !== undefined && { region }),
      ...(labels && { labels }),
    });
    if (created) await noteForeign(request, caller, session, 'session_created');
    response.status(created ? 201 : 200).json(sessionView(session, mountOf(response)));
  });

  router.get('/sessions/:id', async (request, response) => {
    const session = await sessions.get(request.params.id, callerOf(request, accessTokens));
    response.json(sessionView(session, mountOf(response)));
  });

  router.get('/sessions/:id/events', async (request, response) => {
    const session = await sessions.get(request.params.id, callerOf(request, accessTokens));
    const { cursor, limit } = pageOf(request, 'after');
    const found = await events.list(session.id, { limit, ...(cursor !== undefined && { after: cursor }) });
    response.json(found.map(eventView));
  });

  const change =
    (action: 'stop' | 'hibernate' | 'wake', noted: string): RequestHandler<{ id: string }> =>
    async (request, response) => {
      const caller = callerOf(request, accessTokens);
      const session = await sessions[action](request.params.id, caller);
      await noteForeign(request as unknown as Request, caller, session, noted);
      response.status(202).json(sessionView(session, mountOf(response)));
    };
  router.post('/sessions/:id/stop', change('stop', 'session_stopped'));
  router.delete('/sessions/:id', change('stop', 'session_stopped'));
  router.post('/sessions/:id/hibernate', change('hibernate', 'session_hibernated'));
  router.post('/sessions/:id/wake', change('wake', 'session_woken'));

  router.post('/sessions/:id/tickets', async (request, response) => {
    const caller = callerOf(request, accessTokens);
    const mode = new Fields(request.body).oneOf('mode', VIEWER_MODES);
    const session = await sessions.get(request.params.id, caller);
    const { ticket, expiresAt } = await tickets.issue(session, caller.userId, mode);
    await noteForeign(request as unknown as Request, caller, session, 'session_viewed');
    response.status(201).json({ ticket, expires_at: expiresAt.toISOString() });
  });

  return router;
}

function readId(fields: Fields): string | undefined {
  const id = fields.optionalText('id', { max: 200 });
  if (id !== undefined && !isDnsLabel(id))
    throw new Refusal(
      'invalid_field',
      `id must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end, not ${JSON.stringify(id.slice(0, 80))}.`,
    );
  return id;
}

/** Whose session it is to be: the caller's, or whom an administrator names. */
async function ownerOf(services: Services, caller: Caller, username: string | undefined): Promise<User> {
  const self = await services.users.find(caller.userId);
  if (!self) throw notLoggedIn('This user does not exist any more.');
  if (username === undefined || username.toLowerCase() === self.username.toLowerCase()) return self;
  if (caller.role !== 'admin')
    throw new Refusal('forbidden', 'Only administrators may create sessions for others.');
  const user = await services.users.findByName(username);
  if (!user)
    throw new Refusal('invalid_field', `user must be the name of a user, not ${JSON.stringify(username)}.`);
  return user;
}
