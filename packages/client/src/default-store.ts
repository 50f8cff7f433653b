import { webStorageLogins, type LoginStore, type TextStorage } from './login-store.js';

/** Globals of a page. */
interface Page {
  readonly document?: unknown;
  readonly location?: { readonly origin: string };
  readonly localStorage?: TextStorage;
}

/**
 * The store of a client that is given none: in a page its `localStorage`, as the refresh cookie outlives the page too.
 * `undefined` elsewhere, and where the page may not use it. Node 25 has a `localStorage` without being a page.
 */
export function defaultStore(baseUrl: URL): LoginStore | undefined {
  const page = globalThis as Page;
  if (page.document === undefined || page.location === undefined) return undefined;
  try {
    const { localStorage } = page;
    if (!localStorage) return undefined;
    const isOfPage = page.location.origin === baseUrl.origin;
    return webStorageLogins(
      isOfPage ? localStorage : withPrefix(localStorage, `${baseUrl.origin} `),
      baseUrl,
    );
  } catch {
    // A SecurityError: the browser is set to keep nothing.
    return undefined;
  }
}

/** Several control planes may be reached from one page, each with a cookie of its own. */
function withPrefix(storage: TextStorage, prefix: string): TextStorage {
  return {
    getItem: (key) => storage.getItem(prefix + key),
    setItem: (key, value) => storage.setItem(prefix + key, value),
    removeItem: (key) => storage.removeItem(prefix + key),
  };
}
