import { webStorageLogins, type StoredLogin } from '@streamspace/client';

/** The control plane that this page came from. */
export const baseUrl = new URL('.', document.baseURI).href;

/** Names what the tabs of one installation share: there can be others on the same origin, under other paths. */
export const shared = (name: string): string => `${name}:${new URL(baseUrl).pathname}`;

/** Each access goes to `localStorage` itself: where storage is off, naming it throws, and a reload asks for the login. */
export const logins = webStorageLogins(
  {
    getItem: (key) => localStorage.getItem(key),
    setItem: (key, value) => localStorage.setItem(key, value),
    removeItem: (key) => localStorage.removeItem(key),
  },
  baseUrl,
);

/** The login that the tabs of this browser share now. */
export function sharedLogin(): StoredLogin | undefined {
  try {
    return logins.load();
  } catch {
    return undefined;
  }
}
