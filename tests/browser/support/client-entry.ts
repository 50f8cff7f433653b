import { createClient, webStorageLogins, type Client, type TextStorage } from '@streamspace/client';

/** What a page of one's own does to use the client; Node's types, which this file is checked with, know no storage. */
export function clientOf(baseUrl: string): Client {
  const { localStorage } = globalThis as unknown as { localStorage: TextStorage };
  return createClient({ baseUrl, store: webStorageLogins(localStorage, baseUrl) });
}
