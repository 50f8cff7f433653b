import { createClient } from '@streamspace/client';
import { setUser } from './auth.js';
import { baseUrl, logins, shared } from './logins.js';

/** Tabs share the refresh cookie, and each value of it works once: only one of them may renew, or log in, at a time. */
async function exclusive<T>(run: () => Promise<T>): Promise<T> {
  // Not there outside of secure contexts; then two tabs may, rarely, get in each other's way.
  if (!('locks' in navigator)) return await run();
  return await navigator.locks.request(shared('streamspace-renewal'), async () => await run());
}

/** The control plane that this page came from. */
export const client = createClient({
  baseUrl,
  exclusive,
  store: logins,
  onSession: (login) => setUser(login?.user),
});
