import type { User } from '@streamspace/api';

/** What a client keeps of a login, beside the refresh cookie. */
export interface StoredLogin {
  /** Id of the login. */
  readonly id: string;
  /** Goes with each refresh. It never changes; with the refresh cookie it is the login. */
  readonly secret: string;
  /** Who logged in. */
  readonly user: User;
}

/**
 * Where a client keeps its login over a restart, for example over a reload of the page. Clients that share a refresh
 * cookie MUST share a store; others MUST NOT. What its methods throw is dropped: the client goes on in memory.
 */
export interface LoginStore {
  /** The login that was saved last, if it has not been removed. */
  load(): StoredLogin | undefined | Promise<StoredLogin | undefined>;
  /** Replaces the login before it: the cookie of the new one has replaced that one's cookie. */
  save(login: StoredLogin): void | Promise<void>;
  /** Removes this login; a login of another id MUST stay. */
  remove(id: string): void | Promise<void>;
}

/** The part of the Web Storage API that is needed here. */
export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Keeps the login in `storage`, for a page `localStorage`: shared by the tabs of an origin, as the cookie is, and out of
 * reach for other ports of the same host name, which the cookie is not.
 *
 * The keys have the path of `baseUrl`, so that several installations on one origin stay apart, and the login's id.
 */
export function webStorageLogins(storage: TextStorage, baseUrl: string | URL) {
  const path = new URL(baseUrl).pathname.replace(/\/*$/, '/');
  const current = `streamspace.login:${path}`;
  const entry = (id: string): string => `${current}:${id}`;
  return {
    load(): StoredLogin | undefined {
      const id = storage.getItem(current);
      return id === null ? undefined : parse(id, storage.getItem(entry(id)));
    },
    save({ id, secret, user }: StoredLogin): void {
      const before = storage.getItem(current);
      if (before !== null && before !== id) storage.removeItem(entry(before));
      // The entry first: another tab that sees the new id finds it.
      storage.setItem(entry(id), JSON.stringify({ secret, user }));
      storage.setItem(current, id);
    },
    remove(id: string): void {
      storage.removeItem(entry(id));
      if (storage.getItem(current) === id) storage.removeItem(current);
    },
  } satisfies LoginStore;
}

/** Other programs can write there: anything else than what was saved counts as nothing. */
function parse(id: string, text: string | null): StoredLogin | undefined {
  try {
    const { secret, user } = JSON.parse(text ?? '') as Partial<StoredLogin>;
    if (typeof secret === 'string' && typeof user?.id === 'string' && typeof user.username === 'string')
      return { id, secret, user };
  } catch {
    // Not JSON, or null.
  }
  return undefined;
}
