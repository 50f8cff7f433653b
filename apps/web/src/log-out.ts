import { client } from './api.js';
import { isOut, setUser } from './auth.js';
import { ownName } from './base-path.js';

/** The tabs of one browser share one login, by its cookie; they are to share its end. */
const tabs = new BroadcastChannel(ownName('streamspace-logged-out'));

/** Logs out here and in every other tab, also where the server cannot be told; then it rejects. */
export async function logOut(): Promise<void> {
  const told = client.logout();
  // Before the answer: this tab may be closed by then.
  tabs.postMessage('logged out');
  await told;
}

/** Follows a log-out in another tab. */
export function followLogOut(): void {
  tabs.onmessage = () => {
    if (isOut()) return;
    // Loading the page again takes the token out of memory, and what was asked for with it off the screen.
    setUser(undefined);
    window.location.reload();
  };
}
