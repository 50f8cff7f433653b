import type { Session } from '@streamspace/client';
import { client } from './api.js';
import { isOver } from './components/session-list.js';

/** Most pages of a list, each of 1000 desktops. Of more, the oldest are not shown. */
const MOST_PAGES = 5;

/**
 * All desktops that have not ended, and the ended ones that come with them. The server sends those that have not ended
 * first, and a page that asks every few seconds must not load everything that ever ended.
 */
export async function loadSessions(signal: AbortSignal): Promise<Session[]> {
  const found = new Map<string, Session>();
  let pages = 0;
  for await (const page of client.sessions.pages({ signal })) {
    for (const session of page) found.set(session.id, session);
    pages++;
    if (pages === MOST_PAGES || page.some(isOver)) break;
  }
  return [...found.values()];
}
