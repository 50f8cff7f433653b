import { client } from './api.js';
import { currentAuth, setUser } from './auth.js';
import { shared } from './logins.js';

/** The tabs of one browser share one login, by its cookie; they are to share its end. */
const tabs = new BroadcastChannel(shared('streamspace-logged-out'));

/** Logs out here and in every other tab of this user, also where the server cannot be told; then it rejects. */
export async function logOut(): Promise<void> {
  const auth = currentAuth();
  const told = client.logout();
  // Before the answer: this tab may be closed by then.
  if (auth.state === 'in') tabs.postMessage(auth.user.id);
  await told;
}

/** Follows a log-out in another tab. */
export function followLogOut(): void {
  tabs.onmessage = ({ data }: MessageEvent<unknown>) => {
    const auth = currentAuth();
    if (auth.state === 'out' || (auth.state === 'in' && auth.user.id !== data)) return;
    // Loading the page again takes the token out of memory, and what was asked for with it off the screen.
    setUser(undefined);
    window.location.reload();
  };
}
