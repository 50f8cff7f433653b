import { useSyncExternalStore } from 'react';
import type { User } from '@streamspace/client';
import { sharedLogin } from './logins.js';

/**
 * Who uses this page.
 *
 * - `unknown`: there was a login, and the refresh was not tried yet.
 * - `replaced`: `user` was in, and another user has logged in in another tab of this browser. The tabs share one cookie,
 *   so that the login of `user` cannot go on; this page shows nothing of either until it is loaded again.
 */
export type Auth =
  | { readonly state: 'unknown' }
  | { readonly state: 'out' }
  | { readonly state: 'in'; readonly user: User }
  | { readonly state: 'replaced'; readonly user: User; readonly by: User };

let auth: Auth = sharedLogin() ? { state: 'unknown' } : { state: 'out' };
const listeners = new Set<() => void>();

function become(next: Auth): void {
  auth = next;
  for (const listener of listeners) listener();
}

/** Called by the client on every change of login. */
export function setUser(user: User | undefined): void {
  if (user) become({ state: 'in', user });
  else if (!noticeReplacement()) become({ state: 'out' });
}

/** Asks whether another user has logged in in another tab; then this page is that user's after a reload. */
export function noticeReplacement(): boolean {
  if (auth.state !== 'in') return auth.state === 'replaced';
  const { user } = auth;
  const by = sharedLogin()?.user;
  if (!by || by.id === user.id) return false;
  become({ state: 'replaced', user, by });
  return true;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Who uses this page now, outside of components. */
export const currentAuth = (): Auth => auth;

export function useAuth(): Auth {
  return useSyncExternalStore(subscribe, () => auth);
}
