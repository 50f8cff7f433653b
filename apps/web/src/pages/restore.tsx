import { useCallback, useEffect, useState } from 'react';
import { client } from '../api.js';
import { setUser } from '../auth.js';
import { Entrance } from '../components/entrance.js';
import { Notice } from '../components/notice.js';
import { Spinner } from '../components/spinner.js';

/** Shown while the refresh cookie is tried; whatever comes of it changes the login, and so the page. */
export function RestorePage() {
  const [error, setError] = useState<unknown>();
  const restore = useCallback((signal?: AbortSignal) => {
    setError(undefined);
    client.refresh({ signal }).catch((cause: unknown) => {
      if (signal?.aborted) return;
      // Refused: there is no login. Anything else may pass, and must not log anybody out.
      if ((cause as { status?: unknown }).status === 401) setUser(undefined);
      else setError(cause);
    });
  }, []);

  useEffect(() => {
    const stop = new AbortController();
    restore(stop.signal);
    return () => stop.abort();
  }, [restore]);

  if (error === undefined) {
    return (
      <main className="splash" aria-busy="true">
        <Spinner />
        <span className="visually-hidden">Loading…</span>
      </main>
    );
  }
  return (
    <Entrance title="Not connected">
      <Notice error={error} />
      <button type="button" className="button button-primary" onClick={() => restore()}>
        Try again
      </button>
    </Entrance>
  );
}
