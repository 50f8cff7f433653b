import { useCallback } from 'react';
import { Navigate } from 'react-router';
import { client } from '../api.js';
import { useAuth } from '../auth.js';
import { Entrance } from '../components/entrance.js';
import { Notice } from '../components/notice.js';
import { Spinner } from '../components/spinner.js';
import { usePoll } from '../hooks/use-poll.js';

const pauseMs = (): number => 3_000;

/** The front door: to the desktops, to the login, or a word on how to set up. */
export function HomePage() {
  const auth = useAuth();
  const setup = usePoll(
    useCallback((signal) => client.setup.status({ signal }), []),
    pauseMs,
  );
  if (auth.state === 'in') return <Navigate to="/sessions" replace />;
  if (setup.data?.required === false) return <Navigate to="/login" replace />;
  if (setup.data?.required) return <SetupNeeded />;
  return (
    <Entrance title={setup.error ? 'Not connected' : 'One moment'}>
      <Notice error={setup.error} />
      <p className="quiet">
        <Spinner /> Connecting...
      </p>
    </Entrance>
  );
}

export function SetupNeeded() {
  return (
    <Entrance
      title="Set up StreamSpace"
      lead="There is no admin yet. The server printed a one-time setup link when it started."
    >
      <p>
        <WhereTheLinkIs /> Starting the server again prints a new one.
      </p>
    </Entrance>
  );
}

export function WhereTheLinkIs() {
  return (
    <>
      Look for the line that begins with <code>Open this:</code> in the terminal or the log, and open its
      link.
    </>
  );
}
