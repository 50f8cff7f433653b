import type { User } from '@streamspace/client';
import { Entrance } from '../components/entrance.js';

/** Shown where the login of this page was replaced in another tab. */
export function ReplacedPage({ user, by }: { user: User; by: User }) {
  return (
    <Entrance
      title={`Logged in as ${by.username}`}
      lead={`${by.username} has logged in in another tab of this browser. ${user.username} is logged out here.`}
    >
      <p>
        To work as {user.username} again, log {by.username} out, or use another browser or a private window.
      </p>
      <button
        type="button"
        className="button button-primary button-wide"
        autoFocus
        onClick={() => window.location.reload()}
      >
        Continue as {by.username}
      </button>
    </Entrance>
  );
}
