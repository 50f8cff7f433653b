import { useSyncExternalStore } from 'react';
import type { User } from '@streamspace/client';
import { ownName } from './base-path.js';

/** Who uses this page. `unknown` until the refresh cookie was tried. */
export type Auth =
  { readonly state: 'unknown' } | { readonly state: 'out' } | { readonly state: 'in'; readonly user: User };

/** Remembers that there was a login, so that a first visit does not ask the server for one that cannot be. */
const HINT = ownName('streamspace.logged-in');

let auth: Auth = remembered() ? { state: 'unknown' } : { state: 'out' };
const listeners = new Set<() => void>();

/** Called by the client on every change of login. */
export function setUser(user: User | undefined): void {
  auth = user ? { state: 'in', user } : { state: 'out' };
  try {
    if (user) localStorage.setItem(HINT, '1');
    else localStorage.removeItem(HINT);
  } catch {
    // Storage is off: then a reload asks for the login again.
  }
  for (const listener of listeners) listener();
}

function remembered(): boolean {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return false;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether it is certain that nobody is in. */
export function isOut(): boolean {
  return auth.state === 'out';
}

export function useAuth(): Auth {
  return useSyncExternalStore(subscribe, () => auth);
}
